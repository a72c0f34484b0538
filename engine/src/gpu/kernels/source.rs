//! The fragments that shaders are made of.

use crate::gpu::layout::{Plane, Scales};
use crate::gpu::tier::Reduce;
use crate::plan::{Activation, Rows};

macro_rules! fragments {
    ($($name:ident = $path:literal;)*) => {
        $(pub(super) const $name: &str = include_str!(concat!("../../../../shaders/", $path, ".wgsl"));)*
    };
}

fragments! {
    STATE = "common/state";
    CACHE = "common/cache";
    WHOLE_CONTEXT = "common/whole_context";
    RING = "common/ring";
    HALVES = "common/halves";
    SELECT = "common/select";
    SETTINGS = "sample/settings";
    GATHER = "sample/gather";
    PENALIZE = "penalize";
    CANDIDATES = "candidates";
    DRAW = "draw";
    DRAW_ALL = "draw_all";
    ADVANCE = "sample/advance";
    EMBED = "embed";
    MATVEC = "matvec";
    MATVEC_GLU = "matvec_glu";
    MATVEC_FOUR_ROWS = "matvec/four_rows";
    MATMUL = "matmul";
    MATMUL_PACKED = "matmul_packed";
    MATMUL_DOT = "matmul_dot";
    MATMUL_TILE = "matmul/tile";
    MATMUL_INTEGERS = "matmul/integers";
    QUANTIZE = "quantize";
    RMS_NORM = "rms_norm";
    RMS_NORM_IN_PLACE = "rms_norm_in_place";
    ROPE = "rope";
    STORE = "store";
    HEADS = "heads";
    HEADS_PLAIN = "heads/plain";
    HEADS_NORMED = "heads/normed";
    ATTENTION = "attention";
    ATTENTION_SUBGROUP = "attention_subgroup";
    ATTENTION_QUERY = "attention/query";
    ATTENTION_WHOLE = "attention/whole";
    ATTENTION_PART = "attention/part";
    COMBINE = "combine";
    CONV = "conv";
    CONV_STATE = "conv_state";
    CONV_WINDOW = "conv/window";
    CONV_BIAS = "conv/bias";
    CONV_NO_BIAS = "conv/no_bias";
    CONV_KEEP = "conv/keep";
    CONV_SHIFT = "conv/shift";
    ADD = "add";
    MUL = "mul";
    GLU = "glu";
    TAKE_OUTPUTS = "take_outputs";
    INPUT_PLAIN = "input/plain";
    INPUT_NORMED = "input/normed";
    END_WRITE = "end/write";
    END_WRITE_BIAS = "end/write_bias";
    END_ADD = "end/add";
    END_ADD_BIAS = "end/add_bias";
    ROWS_ALL = "rows/all";
    ROWS_OUTPUTS = "rows/outputs";
    COUNT_TOKENS = "rows/count_tokens";
    COUNT_OUTPUTS = "rows/count_outputs";
    TOTAL = "reduce/total";
    LANES_SUBGROUP = "reduce/lanes_subgroup";
    LANES_WORKGROUP = "reduce/lanes_workgroup";
    IDENTITY = "activation/identity";
    SILU = "activation/silu";
    GELU = "activation/gelu";
    Q2 = "weights/q2";
    Q3 = "weights/q3";
    Q4 = "weights/q4";
    Q5 = "weights/q5";
    Q6 = "weights/q6";
    Q8 = "weights/q8";
    CODEBOOK4 = "weights/codebook4";
    HALF_WEIGHTS = "weights/halves";
    F16 = "weights/halves/f16";
    BF16 = "weights/halves/bf16";
    F32 = "weights/f32";
    SCALED = "weights/scaled";
    SCALES_EXPONENT = "scales/exponent";
    SCALES_HALF = "scales/half";
    SCALES_HALF_PAIR = "scales/half_pair";
    SCALES_SUPER = "scales/super";
    SCALES_SUPER16 = "scales/super16";
    SCALES_SUPER_PAIR = "scales/super_pair";
    SCALES_SUPER16_PAIR = "scales/super16_pair";
}

/// The whole text of a shader, for the library that talks to GPUs.
///
/// Browsers want `enable subgroups;` before everything else where a subgroup function is used, and naga does not know the
/// line yet; so it is added where a text goes to a browser.
pub fn compose(source: &[&str]) -> String {
    if cfg!(target_arch = "wasm32") { compose_for_browsers(source) } else { source.join("\n") }
}

/// The whole text of a shader, as browsers want it.
pub fn compose_for_browsers(source: &[&str]) -> String {
    let needs_subgroups = [LANES_SUBGROUP, ATTENTION_SUBGROUP].iter().any(|fragment| source.contains(fragment));
    format!("{}{}", if needs_subgroups { "enable subgroups;\n\n" } else { "" }, source.join("\n"))
}

pub(super) fn plane(plane: Plane) -> Vec<&'static str> {
    match plane {
        Plane::Q2 => vec![Q2],
        Plane::Q3 => vec![Q3],
        Plane::Q4 => vec![Q4],
        Plane::Q5 => vec![Q5],
        Plane::Q6 => vec![Q6],
        Plane::Q8 => vec![Q8],
        // The table is the format's own.
        Plane::Codebook4(table) => vec!["const CODEBOOK = array<f32, 16>(", table.literals, ");", CODEBOOK4],
        Plane::F16 => vec![HALF_WEIGHTS, F16],
        Plane::BF16 => vec![HALF_WEIGHTS, BF16],
        Plane::F32 => vec![F32],
    }
}

pub(super) fn scales(scales: Scales) -> Option<&'static str> {
    match scales {
        Scales::None => None,
        Scales::Exponent => Some(SCALES_EXPONENT),
        Scales::Half => Some(SCALES_HALF),
        Scales::HalfPair => Some(SCALES_HALF_PAIR),
        Scales::Super => Some(SCALES_SUPER),
        Scales::Super16 => Some(SCALES_SUPER16),
        Scales::SuperPair => Some(SCALES_SUPER_PAIR),
        Scales::Super16Pair => Some(SCALES_SUPER16_PAIR),
    }
}

pub(super) fn activation(activation: Activation) -> &'static str {
    match activation {
        Activation::Silu => SILU,
        Activation::Gelu => GELU,
    }
}

pub(super) fn lanes(reduce: Reduce) -> &'static str {
    match reduce {
        Reduce::Subgroup => LANES_SUBGROUP,
        Reduce::Workgroup => LANES_WORKGROUP,
    }
}

pub(super) fn count(rows: Rows) -> &'static str {
    match rows {
        Rows::Tokens => COUNT_TOKENS,
        Rows::Outputs => COUNT_OUTPUTS,
    }
}
