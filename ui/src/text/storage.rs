//! What is said of keeping conversations.

pub fn not_deleted(reason: &str) -> String {
    format!("The conversation could not be deleted: {reason}")
}

pub fn not_read(reason: &str) -> String {
    format!("The conversation could not be read: {reason}")
}

pub fn none_read(reason: &str) -> String {
    format!("The conversations could not be read: {reason}")
}
