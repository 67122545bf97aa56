//! Timelines of the whole agent: what comes in at which second, what goes out.

mod dhcp;
mod lifetime;
mod requests;
mod upstream;
mod world;

use world::*;
