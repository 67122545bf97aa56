//! SIP PnP dialogs.
