//! Timelines of the whole agent: what comes in at which second, what goes out.

mod access;
mod clocks;
mod dhcp;
mod guard;
mod lifetime;
mod requests;
mod slowly;
mod upstream;
mod world;

use world::*;
