//! What is said in the dialog where a model is chosen.

pub const ADDRESS_EXAMPLE: &str = "https://…/model.gguf";
pub const ADDRESS_OF_A_GGUF_FILE: &str = "Address of a GGUF file";
pub const ASKING_HUGGING_FACE: &str = "Asking Hugging Face…";
pub const CANCEL: &str = "Cancel";
pub const BUSY: &str = "A model is being loaded; cancel that to load another.";
pub const COMES_WITH_PAGE: &str = "comes with this page";
pub const DELETE: &str = "Delete";
pub const DELETE_THIS_MODEL: &str = "Delete this model?";
pub const FILES: &str = "Files";
pub const FROM_AN_ADDRESS: &str = "From an address";
pub const FROM_A_FILE: &str = "From a file";
pub const FROM_DISK: &str = "from a file";
pub const FROM_HUGGING_FACE: &str = "From Hugging Face";
pub const GGUF_FILE: &str = "GGUF file";
pub const HUGGING_FACE_REPOSITORY: &str = "Hugging Face repository";
pub const KEEP: &str = "Keep";
pub const KEEP_MODELS: &str = "Keep models on this device for the next visit";
pub const LIST_FILES: &str = "List files";
pub const LOAD: &str = "Load";
pub const LOAD_FROM_ADDRESS: &str = "Load from address";
pub const LOOKING: &str = "Looking at what is here…";
pub const MODELS: &str = "Models";
pub const ON_THIS_DEVICE: &str = "On this device";
pub const OR_DROP: &str = "Or drop a .gguf file anywhere on the page.";
pub const RECOMMENDED: &str = "Recommended";
pub const RELOAD: &str = "Reload";
pub const REPOSITORY_EXAMPLE: &str = "owner/name";
pub const TYPE_A_REPOSITORY: &str =
    "Type owner/name, as in ggml-org/gemma-3-270m-it-GGUF, or paste the address of a .gguf file there.";

pub fn used(bytes: &str) -> String {
    format!("{bytes} used")
}

pub fn used_of(bytes: &str, quota: &str) -> String {
    format!("{bytes} used of {quota} that the browser allows")
}

pub fn part_is_here(stored: &str, total: &str) -> String {
    format!("{stored} of {total} are here")
}

pub fn delete(name: &str) -> String {
    format!("Delete {name}")
}
