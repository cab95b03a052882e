//! Which route a request takes, and the upstream path that follows.
