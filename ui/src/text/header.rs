//! What is said in the bar at the top.

pub const CHOOSE_A_MODEL: &str = "Choose a model";
pub const CONVERSATIONS: &str = "Conversations";
pub const SETTINGS: &str = "Settings";
