//! What is to be measured, as an address says it: `model=smollm2-135m&backend=cpu&threads=1&pp=128,512&tg=64&depth=0&reps=3`.

use crate::catalogue::ENTRIES;
use crate::hub::{self, Typed};
use crate::percent;
use protocol::{BackendWish, BenchOptions, CacheType, LoadOptions, Source};

/// What is to be measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// A name from the catalogue, `owner/name/file.gguf`, or an address.
    pub model: String,
    pub backend: BackendWish,
    /// 0 for as many as pay off.
    pub threads: u32,
    /// How keys and values are kept.
    pub cache: CacheType,
    /// Tokens of a prompt.
    pub pp: Vec<u32>,
    /// Tokens that are generated.
    pub tg: Vec<u32>,
    /// Tokens in the context before each test.
    pub depth: Vec<u32>,
    pub reps: u32,
    /// The build of the engine; none for the fastest.
    pub variant: Option<String>,
    /// Whether to say what takes how long.
    pub profile: bool,
}

impl Default for Wish {
    fn default() -> Self {
        Self {
            model: ENTRIES[0].id.to_owned(),
            backend: BackendWish::Best,
            threads: 0,
            cache: CacheType::F16,
            pp: vec![512],
            tg: vec![64],
            depth: vec![0],
            reps: 3,
            variant: None,
            profile: false,
        }
    }
}

/// The names that an address may use, in the order of the form.
pub const NAMES: [&str; 10] =
    ["model", "pp", "tg", "depth", "reps", "threads", "cache", "backend", "variant", "profile"];

/// More would not be a measurement but a mistake.
const TOKENS_MAX: u32 = 1 << 20;
const REPS_MAX: u32 = 1000;
const NUMBERS_MAX: usize = 32;
const THREADS_MAX: u32 = 256;

/// Room for the question that the time to the first token is measured with.
const CONTEXT_TOKENS_MIN: u32 = 512;

impl Wish {
    /// Reads what follows `#/bench?`. What is not named is as it is by default.
    pub fn parse(query: &str) -> Result<Self, String> {
        let mut wish = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value =
                percent::decode(value).ok_or_else(|| format!("“{value}” is not written as an address writes it."))?;
            wish.set(name, value.trim())?;
        }
        if wish.tests().is_empty() {
            return Err("There is nothing to measure: pp and tg are both 0.".to_owned());
        }
        Ok(wish)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "model" if value.is_empty() => return Err("Name a model: model=smollm2-135m, or an address.".to_owned()),
            "model" => value.clone_into(&mut self.model),
            "backend" => self.backend = backend(value)?,
            "threads" => self.threads = number(name, value, 0..=THREADS_MAX)?,
            "cache" => self.cache = cache(value)?,
            "pp" => self.pp = numbers(name, value)?,
            "tg" => self.tg = numbers(name, value)?,
            "depth" => self.depth = numbers(name, value)?,
            "reps" => self.reps = number(name, value, 1..=REPS_MAX)?,
            "variant" => self.variant = Some(value.to_owned()).filter(|name| !name.is_empty()),
            "profile" => self.profile = number(name, if value.is_empty() { "0" } else { value }, 0..=1)? == 1,
            _ => return Err(format!("The address says “{name}”, and only {} are known.", NAMES.join(", "))),
        }
        Ok(())
    }

    /// What `set` would be given for this name.
    pub fn get(&self, name: &str) -> String {
        match name {
            "model" => self.model.clone(),
            "backend" => backend_name(self.backend).to_owned(),
            "threads" => self.threads.to_string(),
            "cache" => self.cache.name().to_owned(),
            "pp" => list(&self.pp),
            "tg" => list(&self.tg),
            "depth" => list(&self.depth),
            "reps" => self.reps.to_string(),
            "variant" => self.variant.clone().unwrap_or_default(),
            "profile" if self.profile => "1".to_owned(),
            _ => String::new(),
        }
    }

    /// The address that asks for this.
    pub fn address(&self) -> String {
        let pairs = NAMES.map(|name| (name, self.get(name)));
        let pairs = pairs.iter().filter(|(_, value)| !value.is_empty());
        let pairs: Vec<String> = pairs.map(|(name, value)| format!("{name}={}", percent::encode(value))).collect();
        format!("#/bench?{}", pairs.join("&"))
    }

    /// Every test, in llama-bench's order: for each depth first the prompts, then the replies.
    pub fn tests(&self) -> Vec<BenchOptions> {
        let mut tests = Vec::new();
        for depth in self.depth.iter().copied() {
            let test =
                |n_prompt, n_gen| BenchOptions { n_prompt, n_gen, depth, reps: self.reps, profile: self.profile };
            tests.extend(self.pp.iter().map(|n| test(*n, 0)));
            tests.extend(self.tg.iter().map(|n| test(0, *n)));
        }
        tests.retain(|test| test.n_prompt + test.n_gen > 0);
        tests
    }

    /// The context that the largest test needs.
    pub fn context_tokens(&self) -> u32 {
        let needed = self.tests().iter().map(|test| test.depth + test.n_prompt.max(test.n_gen)).max();
        needed.unwrap_or(0).max(CONTEXT_TOKENS_MIN)
    }

    /// How to load the model.
    pub fn load_options(&self, source: Source, hub: String, keep: bool) -> LoadOptions {
        LoadOptions {
            source,
            hub,
            context_tokens: self.context_tokens(),
            keep,
            backend: self.backend,
            cache: self.cache,
            threads: self.threads,
        }
    }

    /// Where the model is, for a page at `base` and with Hugging Face at `hub`.
    pub fn source(&self, base: &str, hub: &str) -> Result<Source, String> {
        if let Some(entry) = ENTRIES.iter().find(|entry| entry.id == self.model) {
            return Ok(entry.source(base));
        }
        match hub::read(&self.model, hub) {
            Some(Typed::File(source)) => Ok(source),
            Some(Typed::Repo { repo, .. }) => Err(format!("{repo} is a repository: add the name of a file in it.")),
            None if self.model.contains("://") => hub::url(&self.model),
            None => {
                let ids: Vec<&str> = ENTRIES.iter().map(|entry| entry.id).collect();
                Err(format!(
                    "There is no model “{}”. Known are {}; owner/name/file.gguf on Hugging Face and addresses work too.",
                    self.model,
                    ids.join(", ")
                ))
            }
        }
    }
}

fn backend(value: &str) -> Result<BackendWish, String> {
    match value {
        "" | "best" => Ok(BackendWish::Best),
        "cpu" => Ok(BackendWish::Cpu),
        "gpu" => Ok(BackendWish::Gpu),
        _ => Err(format!("backend is cpu, gpu or best, not “{value}”.")),
    }
}

fn cache(value: &str) -> Result<CacheType, String> {
    let known = CacheType::ALL.into_iter().find(|cache| cache.name() == value);
    known.ok_or_else(|| format!("cache is {}, not “{value}”.", CacheType::ALL.map(CacheType::name).join(" or ")))
}

pub fn backend_name(backend: BackendWish) -> &'static str {
    match backend {
        BackendWish::Best => "best",
        BackendWish::Cpu => "cpu",
        BackendWish::Gpu => "gpu",
    }
}

fn number(name: &str, value: &str, range: std::ops::RangeInclusive<u32>) -> Result<u32, String> {
    let problem = || format!("{name} is a number from {} to {}, not “{value}”.", range.start(), range.end());
    value.trim().parse().ok().filter(|n| range.contains(n)).ok_or_else(problem)
}

fn numbers(name: &str, value: &str) -> Result<Vec<u32>, String> {
    if value.split(',').count() > NUMBERS_MAX {
        return Err(format!("{name} may list {NUMBERS_MAX} numbers at most."));
    }
    value.split(',').map(|part| number(name, part, 0..=TOKENS_MAX)).collect()
}

fn list(numbers: &[u32]) -> String {
    numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_cannot_ask_for_tests_without_end() {
        let ones = |n: usize| format!("pp={}", vec!["1"; n].join(","));
        assert!(Wish::parse(&ones(NUMBERS_MAX)).is_ok());
        assert!(Wish::parse(&ones(NUMBERS_MAX + 1)).is_err());
    }

    #[test]
    fn an_address_is_read_and_written() {
        let wish = Wish::parse(
            "model=https%3A%2F%2Fa.b%2Fc.gguf%3Fx%3D1%26y&pp=128,512&tg=0&depth=0,64&reps=1&backend=gpu&threads=2&cache=q8_0&variant=plain&profile=1",
        );
        let wish = wish.expect("it is right");
        let want = Wish {
            model: "https://a.b/c.gguf?x=1&y".to_owned(),
            backend: BackendWish::Gpu,
            threads: 2,
            cache: CacheType::Q8_0,
            pp: vec![128, 512],
            tg: vec![0],
            depth: vec![0, 64],
            reps: 1,
            variant: Some("plain".to_owned()),
            profile: true,
        };
        assert_eq!(wish, want);
        let again = wish.address();
        assert_eq!(Wish::parse(again.strip_prefix("#/bench?").expect("it is ours")), Ok(want));
        let names: Vec<String> =
            wish.tests().iter().map(|t| format!("{}/{}@{}", t.n_prompt, t.n_gen, t.depth)).collect();
        assert_eq!(names, ["128/0@0", "512/0@0", "128/0@64", "512/0@64"]);
        assert_eq!(wish.context_tokens(), 576);
        assert_eq!(Wish::parse(""), Ok(Wish::default()));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (query, complaint) in [
            ("modle=x", "“modle”"),
            ("pp", "pp is a number"),
            ("pp=128,", "not “”"),
            ("tg=-1", "tg is a number"),
            ("reps=0", "from 1"),
            ("threads=two", "“two”"),
            ("backend=npu", "cpu, gpu or best"),
            ("cache=q4_0", "f16 or q8_0"),
            ("profile=yes", "from 0 to 1"),
            ("pp=0&tg=0", "nothing to measure"),
            ("model=", "Name a model"),
            ("model=%zz", "not written"),
        ] {
            let error = Wish::parse(query).expect_err(query);
            assert!(error.contains(complaint), "{query}: {error}");
        }
    }

    #[test]
    fn models_are_found() {
        let source =
            |model: &str| Wish { model: model.to_owned(), ..Wish::default() }.source("http://h/", "https://hf");
        assert_eq!(source("smollm2-135m"), Ok(ENTRIES[0].source("http://h/")));
        assert!(matches!(source("a/b/c.gguf"), Ok(Source::Hub { .. })));
        assert_eq!(source("http://x/y.gguf"), Ok(Source::Url("http://x/y.gguf".to_owned())));
        for (model, complaint) in [("a/b", "add the name"), ("nothing", "smollm2-360m"), ("ftp://a/b", "Only http://")]
        {
            let error = source(model).expect_err(model);
            assert!(error.contains(complaint), "{model}: {error}");
        }
    }
}
