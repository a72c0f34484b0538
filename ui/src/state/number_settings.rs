//! The settings that are numbers, as a table.

#![expect(clippy::cast_possible_truncation, reason = "the limits of a number setting are those of its type")]

use super::settings::Settings;
use crate::text;

/// A setting that is a number.
#[derive(Debug, Clone, Copy)]
pub struct NumberSetting {
    pub label: &'static str,
    pub hint: &'static str,
    pub min: f64,
    pub max: f64,
    pub step: f64,
    pub get: fn(&Settings) -> f64,
    pub set: fn(&mut Settings, f64),
}

/// How the next token is drawn, and how many.
pub static SAMPLING: [NumberSetting; 9] = [
    NumberSetting {
        label: text::settings::TEMPERATURE,
        hint: text::settings::TEMPERATURE_MEANING,
        min: 0.0,
        max: 5.0,
        step: 0.01,
        get: |settings| readable(settings.sampling.temperature),
        set: |settings, n| settings.sampling.temperature = n as f32,
    },
    NumberSetting {
        label: text::settings::TOP_K,
        hint: text::settings::TOP_K_MEANING,
        min: 0.0,
        max: 1e6,
        step: 1.0,
        get: |settings| settings.sampling.top_k.into(),
        set: |settings, n| settings.sampling.top_k = n as u32,
    },
    NumberSetting {
        label: text::settings::TOP_P,
        hint: text::settings::TOP_P_MEANING,
        min: 0.0,
        max: 1.0,
        step: 0.01,
        get: |settings| readable(settings.sampling.top_p),
        set: |settings, n| settings.sampling.top_p = n as f32,
    },
    NumberSetting {
        label: text::settings::MIN_P,
        hint: text::settings::MIN_P_MEANING,
        min: 0.0,
        max: 1.0,
        step: 0.01,
        get: |settings| readable(settings.sampling.min_p),
        set: |settings, n| settings.sampling.min_p = n as f32,
    },
    NumberSetting {
        label: text::settings::REPEAT_PENALTY,
        hint: text::settings::REPEAT_PENALTY_MEANING,
        min: 0.5,
        max: 3.0,
        step: 0.01,
        get: |settings| readable(settings.sampling.repeat_penalty),
        set: |settings, n| settings.sampling.repeat_penalty = n as f32,
    },
    NumberSetting {
        label: text::settings::FREQUENCY_PENALTY,
        hint: text::settings::FREQUENCY_PENALTY_MEANING,
        min: -2.0,
        max: 2.0,
        step: 0.01,
        get: |settings| readable(settings.sampling.frequency_penalty),
        set: |settings, n| settings.sampling.frequency_penalty = n as f32,
    },
    NumberSetting {
        label: text::settings::PRESENCE_PENALTY,
        hint: text::settings::PRESENCE_PENALTY_MEANING,
        min: -2.0,
        max: 2.0,
        step: 0.01,
        get: |settings| readable(settings.sampling.presence_penalty),
        set: |settings, n| settings.sampling.presence_penalty = n as f32,
    },
    NumberSetting {
        label: text::settings::PENALTY_WINDOW,
        hint: text::settings::PENALTY_WINDOW_MEANING,
        min: 0.0,
        max: 1e6,
        step: 1.0,
        get: |settings| settings.sampling.penalty_last_n.into(),
        set: |settings, n| settings.sampling.penalty_last_n = n as u32,
    },
    NumberSetting {
        label: text::settings::LONGEST_REPLY,
        hint: text::settings::LONGEST_REPLY_MEANING,
        min: 0.0,
        max: 1e6,
        step: 1.0,
        get: |settings| settings.max_tokens.into(),
        set: |settings, n| settings.max_tokens = n as u32,
    },
];

/// How much the model holds in mind.
pub static CONTEXT: NumberSetting = NumberSetting {
    label: text::settings::CONTEXT_SIZE,
    hint: text::settings::CONTEXT_SIZE_MEANING,
    min: 256.0,
    max: 1e6,
    step: 1.0,
    get: |settings| settings.context_tokens.into(),
    set: |settings, n| settings.context_tokens = n as u32,
};

impl NumberSetting {
    /// As a number field of a page takes it: `n` is in the range, and whole steps from its beginning.
    pub fn accepts(&self, n: f64) -> bool {
        let steps = (n - self.min) / self.step;
        (self.min..=self.max).contains(&n) && (steps - steps.round()).abs() < 1e-6
    }

    /// In words.
    pub fn range(&self) -> String {
        text::settings::range(self.min, self.max, self.step)
    }
}

/// 0.3 as `f32` is 0.300000012 as `f64`; people typed 0.3.
fn readable(n: f32) -> f64 {
    n.to_string().parse().expect("a number's text is a number")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_keep_what_they_are_set_to() {
        for setting in SAMPLING.iter().chain([&CONTEXT]) {
            let mut settings = Settings::default();
            assert!(setting.accepts((setting.get)(&settings)), "{}", setting.label);
            for n in [setting.min, setting.max] {
                (setting.set)(&mut settings, n);
                assert_eq!((setting.get)(&settings), n, "{}", setting.label);
            }
        }
        assert_eq!((SAMPLING[0].get)(&Settings::default()), 0.3);
        assert!(!CONTEXT.accepts(0.0) && !CONTEXT.accepts(f64::NAN));
    }
}
