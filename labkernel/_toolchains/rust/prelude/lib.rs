//! Nothing: this package only pins and builds wit-bindgen.
