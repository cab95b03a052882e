//! What the end-to-end tests are built from: a running gateway, an echo upstream, a scripted plugin server.
