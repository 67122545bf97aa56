//! The upstream side: documents and templates become the configurations of phones.
//!
//! What renders and decides has no clock and no socket. The words: [`documents`]; how text is made of them:
//! [`fill`], [`xml`], [`plain`], [`keys`], [`phone`] (the values of placeholders), [`places`]; all of it together: [`render`].
//! [`answer`] decides about a request, with [`limit`], [`guesses`], [`firmware`] and [`rest`] beside it. [`memory`] is the index of documents that requests are answered from, and
//! [`folder`] keeps it the same as a folder of JSON files. [`storage`] is for those who change documents. [`shared`] finds firmware and languages. These three are the only ones here that do I/O.
//! [`import`] makes templates from phones' exported settings; [`shipped`] are those that come with the program, and [`setup`] loads them into a store.
//! [`couch`] has CouchDB's words, and [`kazoo`] reads what Kazoo tells a provisioner.

pub mod answer;
pub mod couch;
pub mod documents;
pub mod fill;
pub mod firmware;
pub mod folder;
pub mod guesses;
pub mod import;
pub mod json;
pub mod kazoo;
pub mod keys;
pub mod limit;
pub mod memory;
pub mod phone;
pub mod places;
pub mod plain;
pub mod render;
pub mod rest;
pub mod setup;
pub mod shared;
pub mod shipped;
pub mod storage;
pub mod xml;
