//! The upstream side: documents and templates become the configurations of phones.
//!
//! What renders and decides has no clock and no socket. The words: [`documents`]; how text is made of them:
//! [`fill`], [`xml`], [`plain`], [`keys`], [`phone`] (the values of placeholders), [`places`]; all of it together: [`render`].
//! [`memory`] is the index of documents that requests are answered from.

pub mod documents;
pub mod fill;
pub mod json;
pub mod keys;
pub mod memory;
pub mod phone;
pub mod places;
pub mod plain;
pub mod render;
pub mod xml;
