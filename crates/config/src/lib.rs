//! kong.conf, its environment and the declarative file: text in, checked values out.

pub mod conf;
pub mod declarative;
pub mod reference;
pub mod settings;
#[cfg(test)]
mod test_directory;
mod units;

use conf::without_mark;
pub use settings::Settings;
