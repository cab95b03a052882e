//! Frames and messages of the plugin-server protocols, and the dump they print.
