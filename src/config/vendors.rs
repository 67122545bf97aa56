//! What the config has to know of the brands: their names, and what holds where a section is silent.

use crate::vendor::{self, Vendor};

/// A brand that the program knows.
#[derive(Clone, Copy, Debug)]
pub struct KnownVendor {
    /// Section name.
    pub name: &'static str,
    /// MAC patterns for a section without `oui`.
    pub ouis: &'static [&'static str],
    /// Template for a section without `url`.
    pub url: &'static str,
}

impl From<&Vendor> for KnownVendor {
    fn from(vendor: &Vendor) -> KnownVendor {
        KnownVendor { name: vendor.name, ouis: vendor.ouis, url: vendor.url }
    }
}

/// All brands that the program knows.
pub fn known_vendors() -> Vec<KnownVendor> {
    vendor::ALL.iter().map(|v| KnownVendor::from(*v)).collect()
}
