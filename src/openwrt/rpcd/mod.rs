//! The ubus object `phoneprov`: which methods there are, what they take and who may call them; what a web user sends is
//! read here, and answers are made to fit. Texts to texts: the doing is in `cli/rpcd`.

pub mod answer;
pub mod args;
pub mod check;
pub mod job;
pub mod table;
