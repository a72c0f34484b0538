//! Templates for models that bring none.

/// A template, and the token by which a vocabulary gives away that the model was trained with it.
struct Fallback {
    name: &'static str,
    token: &'static str,
    source: &'static str,
}

macro_rules! fallback {
    ($name:literal, $token:literal) => {
        Fallback { name: $name, token: $token, source: include_str!(concat!("fallback/", $name, ".jinja")) }
    };
}

const CHATML: Fallback = fallback!("chatml", "<|im_start|>");

/// In the order they are tried.
const FALLBACKS: [Fallback; 6] = [
    CHATML,
    fallback!("gemma", "<start_of_turn>"),
    fallback!("llama3", "<|start_header_id|>"),
    fallback!("granite", "<|start_of_role|>"),
    fallback!("phi3", "<|assistant|>"),
    fallback!("llama2", "[INST]"),
];

/// The name and the source of the template that fits a vocabulary; ChatML, the most common one, if none does.
pub(super) fn choose(has_token: impl Fn(&str) -> bool) -> (&'static str, &'static str) {
    let fallback = FALLBACKS.iter().find(|fallback| has_token(fallback.token)).unwrap_or(&CHATML);
    (fallback.name, fallback.source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vocabulary_decides() {
        assert_eq!(choose(|token| token == "<start_of_turn>").0, "gemma");
        assert_eq!(choose(|token| token == "[INST]").0, "llama2");
        assert_eq!(choose(|_| false).0, "chatml");
    }
}
