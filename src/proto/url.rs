//! URL templates, the mapping between LAN and upstream URLs, and rewriting.
