// The queries of attention, and what else both of its kernels are told.

@group(0) @binding(1) var<storage, read> q: array<f32>;               // [n, Q_STRIDE], Q of it before the first head

override HEAD_DIM: u32;
// Query heads that share a head of keys and values.
override GROUP: u32;
override Q: u32;
override Q_STRIDE: u32;
override SCALE: f32;
// Positions a query sees, itself included.
override WINDOW: u32;
// Fours of queries that a workgroup takes: a power of two.
override QUADS: u32;

// The positions that four queries see.
struct Seen {
    first: vec4u,
    last: vec4u,    // Each query's own.
}

// Of four neighbouring queries; the last query stands for those past it.
fn seen_by(first_query: u32) -> Seen {
    let queries = min(vec4u(first_query) + vec4u(0u, 1u, 2u, 3u), vec4u(state.n_tokens * GROUP - 1u));
    let last = vec4u(state.start) + queries / GROUP;
    return Seen(last - min(last, vec4u(WINDOW - 1u)), last);
}

// Four elements of a query, times SCALE; zero past its end. The last query stands for those past it.
fn query_part(head: u32, any_query: u32, i: u32) -> vec4f {
    let query = min(any_query, state.n_tokens * GROUP - 1u);
    let at = Q + query / GROUP * Q_STRIDE + (head * GROUP + query % GROUP) * HEAD_DIM + i * 4u;
    var part = vec4f(0.0);
    if i * 4u < HEAD_DIM {
        part = vec4f(q[at], q[at + 1u], 0.0, 0.0);
    }
    if i * 4u + 2u < HEAD_DIM {
        part = vec4f(part.xy, q[at + 2u], q[at + 3u]);
    }
    return part * SCALE;
}
