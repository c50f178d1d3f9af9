//! What has been handed on, who hears of an entry, and what a slow device still gets.

mod low_water;

pub use low_water::LowWater;
