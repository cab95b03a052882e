//! kong.conf and its environment: text in, checked values out.

pub mod conf;
pub mod settings;
#[cfg(test)]
mod test_directory;
mod units;

pub use settings::Settings;
