//! Icons as strokes on a grid of 24: no font, no request.

use leptos::prelude::*;

/// What the icons show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Glyph {
    ArrowDown,
    Back,
    Chip,
    Close,
    Copy,
    Edit,
    Forward,
    Menu,
    Plus,
    Redo,
    Send,
    Settings,
    Stop,
    Tick,
    Trash,
}

impl Glyph {
    /// The strokes, as an SVG path.
    fn path(self) -> &'static str {
        match self {
            Self::ArrowDown => "M12 5v14M6 13l6 6 6-6",
            Self::Back => "M14 6l-6 6 6 6",
            Self::Chip => "M7 7h10v10H7zM10 3v4M14 3v4M10 17v4M14 17v4M3 10h4M3 14h4M17 10h4M17 14h4",
            Self::Close => "M6 6l12 12M18 6L6 18",
            Self::Copy => "M9 9h10v11H9zM15 9V5H5v11h4",
            Self::Edit => "M4 20h4L19 9l-4-4L4 16zM13 7l4 4",
            Self::Forward => "M10 6l6 6-6 6",
            Self::Menu => "M4 7h16M4 12h16M4 17h16",
            Self::Plus => "M12 5v14M5 12h14",
            Self::Redo => "M19 12a7 7 0 1 1-2-5M19 4v4h-4",
            Self::Send => "M12 19V5M6 11l6-6 6 6",
            Self::Settings => "M4 7h9M19 7h1M16 4.5v5M4 17h1M11 17h9M8 14.5v5",
            Self::Stop => "M7 7h10v10H7z",
            Self::Tick => "M5 13l4 4L19 7",
            Self::Trash => "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13M10 11v5M14 11v5",
        }
    }
}

/// An icon; what it means is said by the control around it.
#[component]
pub fn Icon(glyph: Glyph) -> impl IntoView {
    view! {
        <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
            <path d=glyph.path() />
        </svg>
    }
}

/// The minnow.
#[component]
pub fn Fish() -> impl IntoView {
    view! {
        <svg class="fish" viewBox="0 0 64 40" aria-hidden="true" focusable="false">
            <path class="fish__body" d="M3 20C10 8 26 5 40 12c4 2 8 5 11 8-3 3-7 6-11 8C26 35 10 32 3 20z" />
            <path class="fish__tail" d="M48 20c4-1 9-5 12-10 1.500 6.500 1.500 13.500 0 20-3-5-8-9-12-10z" />
            <circle class="fish__eye" cx="15" cy="17.500" r="2.600" />
        </svg>
    }
}
