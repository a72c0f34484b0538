//! Files on disk: the system's own, or Node's where the program is wasm.

#[cfg(target_arch = "wasm32")]
pub(crate) use node::File;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use std::fs::File;

#[cfg(target_arch = "wasm32")]
mod node {
    use std::io::{Error, Read, Result, Seek, SeekFrom};
    use wasm_bindgen::prelude::*;

    /// <https://nodejs.org/docs/latest-v20.x/api/fs.html>, asked for when it is used: a browser, which runs other tests of the
    /// same program, cannot import it.
    #[wasm_bindgen]
    extern "C" {
        type Fs;
        type Stats;
        #[wasm_bindgen(js_namespace = process, js_name = getBuiltinModule)]
        fn builtin_module(name: &str) -> Fs;
        #[wasm_bindgen(method, catch, js_name = openSync)]
        fn open(this: &Fs, path: &str) -> std::result::Result<i32, JsValue>;
        #[wasm_bindgen(method, catch, js_name = fstatSync)]
        fn stat(this: &Fs, descriptor: i32) -> std::result::Result<Stats, JsValue>;
        #[wasm_bindgen(method, getter)]
        fn size(this: &Stats) -> f64;
        #[wasm_bindgen(method, catch, js_name = readSync)]
        fn read(
            this: &Fs,
            descriptor: i32,
            bytes: &mut [u8],
            offset: usize,
            len: usize,
            position: f64,
        ) -> std::result::Result<usize, JsValue>;
    }

    fn fs() -> Fs {
        builtin_module("fs")
    }

    fn failed(error: JsValue) -> Error {
        Error::other(format!("{error:?}"))
    }

    /// A file that is read. It stays open until the program ends.
    #[derive(Debug)]
    pub(crate) struct File {
        descriptor: i32,
        position: u64,
    }

    impl File {
        pub(crate) fn open(path: &str) -> Result<Self> {
            Ok(Self { descriptor: fs().open(path).map_err(failed)?, position: 0 })
        }
    }

    impl Read for File {
        fn read(&mut self, bytes: &mut [u8]) -> Result<usize> {
            let len = bytes.len();
            let n = fs().read(self.descriptor, bytes, 0, len, self.position as f64).map_err(failed)?;
            self.position += n as u64;
            Ok(n)
        }
    }

    impl Seek for File {
        fn seek(&mut self, to: SeekFrom) -> Result<u64> {
            self.position = match to {
                SeekFrom::Start(position) => position,
                SeekFrom::End(offset) => {
                    (fs().stat(self.descriptor).map_err(failed)?.size() as u64).saturating_add_signed(offset)
                }
                SeekFrom::Current(offset) => self.position.saturating_add_signed(offset),
            };
            Ok(self.position)
        }
    }
}
