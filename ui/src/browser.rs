//! The little of the browser that several parts of the page need.

use crate::state::ActionContext;
use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, future_to_promise};
use web_sys::{Document, HtmlAnchorElement, Response, ServiceWorkerRegistration, Window};

pub fn window() -> Window {
    web_sys::window().expect("the page runs in a window")
}

pub fn document() -> Document {
    window().document().expect("a window has a document")
}

/// The page's folder, with a slash at the end.
pub fn base() -> String {
    let address = document().base_uri().ok().flatten().unwrap_or_default();
    let address = address.split(['?', '#']).next().unwrap_or_default();
    address[..address.rfind('/').map_or(0, |slash| slash + 1)].to_owned()
}

/// What the page's address says of `name`, as it stands there: `?name=value`.
pub fn query(name: &str) -> Option<String> {
    let search = window().location().search().ok()?;
    let pairs = search.trim_start_matches('?').split('&');
    pairs.filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
}

/// Has the service worker, if there is one, keep the page and this build of the engine for a visit without a network.
pub async fn keep_page(variant: String) {
    let Ok(ready) = window().navigator().service_worker().ready() else { return };
    let registration = JsFuture::from(ready).await.ok().and_then(|it| it.dyn_into::<ServiceWorkerRegistration>().ok());
    if let Some(worker) = registration.and_then(|registration| registration.active()) {
        // What cannot be kept comes from the network.
        let _ = worker.post_message(&JsValue::from(variant));
    }
}

/// Whether this is an iPad that calls itself a Macintosh, as they do by themselves: no Macintosh has a screen to touch.
pub fn is_disguised_ipad() -> bool {
    let navigator = window().navigator();
    navigator.max_touch_points() > 1 && navigator.user_agent().is_ok_and(|name| name.contains("Macintosh"))
}

#[expect(clippy::cast_possible_truncation, reason = "milliseconds since 1970 are below 2^53")]
pub fn now_ms() -> u64 {
    js_sys::Date::now() as u64
}

/// The time, and a number that no other tab draws.
#[expect(clippy::cast_possible_truncation, reason = "the number is below 2^53")]
pub fn action_context() -> ActionContext {
    /// Ids stay exact in a JS number, with room for those that count up from here.
    const IDS: f64 = 9.0e15;
    ActionContext { now_ms: now_ms(), nonce: (js_sys::Math::random() * IDS) as u64 }
}

/// What a thrown value says.
pub fn message(error: &JsValue) -> String {
    let text = js_sys::Reflect::get(error, &"message".into()).ok().and_then(|text| text.as_string());
    text.or_else(|| error.as_string()).unwrap_or_else(|| format!("{error:?}"))
}

/// A text from the network, and the `Link` header beside it.
#[derive(Debug)]
pub struct Fetched {
    pub text: String,
    pub link: Option<String>,
}

/// A text from the network, or what went wrong.
pub async fn fetch_text(url: &str) -> Result<Fetched, FetchError> {
    let offline = |_| FetchError::Unreachable;
    let response = JsFuture::from(window().fetch_with_str(url)).await.map_err(offline)?;
    let response: Response = response.dyn_into().expect("fetch gives a response");
    if !response.ok() {
        return Err(FetchError::Status(response.status()));
    }
    let link = response.headers().get("Link").ok().flatten();
    let text = JsFuture::from(response.text().map_err(offline)?).await.map_err(offline)?;
    Ok(Fetched { text: text.as_string().ok_or(FetchError::Unreachable)?, link })
}

/// Why a text did not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FetchError {
    /// No answer, or one that the browser keeps from us.
    Unreachable,
    /// An answer with this HTTP status.
    Status(u16),
}

/// Says that the page itself has failed; after that nothing on it works. Conversations and drafts are kept as they come,
/// so a reload loses nothing.
pub fn confess(panic: &str) {
    leptos::logging::error!("{panic}");
    let document = document();
    let (Some(body), Ok(alert)) = (document.body(), document.create_element("p")) else { return };
    // Setting an attribute of this name cannot fail, and a body takes any element.
    let _ = alert.set_attribute("role", "alert");
    let _ = alert.set_attribute("class", "notice notice--trouble");
    alert.set_text_content(Some("Minnow ran into a mistake of its own. Reload the page; nothing you wrote is lost."));
    let _ = body.append_child(&alert);
}

/// Puts text on the clipboard. Returns whether the browser allowed it.
pub async fn copy(text: &str) -> bool {
    match write_text(text) {
        Ok(writing) => JsFuture::from(writing).await.is_ok(),
        Err(_) => false,
    }
}

/// Offers text to the person as a file.
pub fn save_file(name: &str, text: &str) -> Result<(), JsValue> {
    let options = web_sys::BlobPropertyBag::new();
    options.set_type("application/json");
    let blob = web_sys::Blob::new_with_str_sequence_and_options(&js_sys::Array::of1(&text.into()), &options)?;
    let url = web_sys::Url::create_object_url_with_blob(&blob)?;
    let link: HtmlAnchorElement = document().create_element("a")?.unchecked_into();
    link.set_href(&url);
    link.set_download(name);
    link.click();
    web_sys::Url::revoke_object_url(&url)
}

/// Calls back for every event of this name on the window, as long as the page lives.
pub fn on_window<E: JsCast + 'static>(name: &str, callback: impl FnMut(E) + 'static) {
    let closure = into_listener(callback);
    window().add_event_listener_with_callback(name, &closure).expect("a listener can be added");
}

/// The same on the document.
pub fn on_document<E: JsCast + 'static>(name: &str, callback: impl FnMut(E) + 'static) {
    let closure = into_listener(callback);
    document().add_event_listener_with_callback(name, &closure).expect("a listener can be added");
}

fn into_listener<E: JsCast + 'static>(mut callback: impl FnMut(E) + 'static) -> js_sys::Function {
    Closure::<dyn FnMut(web_sys::Event)>::new(move |event: web_sys::Event| callback(event.unchecked_into()))
        .into_js_value()
        .unchecked_into()
}

/// Shows the page, and the browser's own bars around it, in the theme of this name: `system`, `light` or `dark`.
pub fn show_theme(name: &str) {
    let set = |selector: &str, attribute: &str, value: &str| {
        if let Ok(Some(element)) = document().query_selector(selector) {
            // Setting an attribute of such a name cannot fail.
            let _ = element.set_attribute(attribute, value);
        }
    };
    set(":root", "data-theme", name);
    for scheme in ["light", "dark"] {
        let media = match name {
            "system" => format!("(prefers-color-scheme: {scheme})"),
            chosen if chosen == scheme => "all".to_owned(),
            _ => "not all".to_owned(),
        };
        set(&format!("meta[data-scheme={scheme}]"), "media", &media);
    }
}

/// Moves the focus to the first element that the selector finds, once it is on screen.
pub fn focus(selector: impl AsRef<str> + 'static) {
    leptos::prelude::request_animation_frame(move || {
        if let Ok(Some(element)) = document().query_selector(selector.as_ref()) {
            focus_now(&element);
        }
    });
}

/// Moves the focus to an element that was just made, once it is on screen.
pub fn focus_element(element: impl Into<web_sys::Element>) {
    let element = element.into();
    leptos::prelude::request_animation_frame(move || focus_now(&element));
}

/// Moves the focus. An element that cannot have it leaves it where it is.
pub fn focus_now(element: &web_sys::Element) {
    let _ = element.unchecked_ref::<web_sys::HtmlElement>().focus();
}

/// Whether fingers are what the person mainly points with.
pub fn has_touch() -> bool {
    window().match_media("(pointer: coarse)").ok().flatten().is_some_and(|query| query.matches())
}

/// Asks the browser not to clear what is kept when the device runs out of room. It decides by itself, or asks.
pub async fn ask_to_persist() {
    if let Ok(asked) = persist() {
        // Refused or not, everything works the same until the device is full.
        let _ = JsFuture::from(asked).await;
    }
}

// Pages that are not served securely have neither, so calling them may fail; web-sys does not expect that.
#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch, js_namespace = ["navigator", "storage"])]
    fn persist() -> Result<js_sys::Promise, JsValue>;

    #[wasm_bindgen(catch, js_namespace = ["navigator", "clipboard"], js_name = writeText)]
    fn write_text(text: &str) -> Result<js_sys::Promise, JsValue>;
}

/// What comes of `work`, or nothing if it takes longer than `ms` milliseconds; it then goes on unheard.
pub async fn within<T: 'static>(ms: i32, work: impl Future<Output = T> + 'static) -> Option<T> {
    let result = Rc::new(RefCell::new(None));
    let slot = Rc::clone(&result);
    let done = future_to_promise(async move {
        let value = work.await;
        *slot.borrow_mut() = Some(value);
        Ok(JsValue::UNDEFINED)
    });
    let timer = js_sys::Promise::new(&mut |resolve, _| {
        window().set_timeout_with_callback_and_timeout_and_arguments_0(&resolve, ms).expect("a window has timers");
    });
    JsFuture::from(js_sys::Promise::race(&js_sys::Array::of2(&done, &timer))).await.expect("neither of them fails");
    result.take()
}

/// Whether this page may share memory with its workers.
pub fn is_isolated() -> bool {
    let isolated = js_sys::Reflect::get(&js_sys::global(), &"crossOriginIsolated".into());
    isolated.is_ok_and(|isolated| isolated.is_truthy())
}
