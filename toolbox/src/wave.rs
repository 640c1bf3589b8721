//! WAVE texts against types, by the ecosystem's own parser.

use crate::exports::labkernel::toolbox::model::{Diagnostic, SourceFile};
use crate::resolver;
use crate::text::{Source, plain};
use wasm_wave::parser::ParserError;
use wasm_wave::untyped::UntypedFuncCall;
use wasm_wave::value::{Type, Value, resolve_wit_func_type, resolve_wit_type};
use wasm_wave::wasm::WasmFunc;

type Result<T> = std::result::Result<T, Vec<Diagnostic>>;

pub fn parse(text: &str, declarations: &str, wit_type: &str) -> Result<String> {
    // wasm-wave 0.262 takes the rest of a comment's line and panics where there is none.
    let text = &if text.ends_with("//") { format!("{text}\n") } else { text.to_string() };
    let is_function = wit_type.trim_start().starts_with("func");
    let item = if is_function { format!("asked: {wit_type};") } else { format!("type asked = {wit_type};") };
    let file = SourceFile {
        path: "type.wit".to_string(),
        text: format!("package lab:wave;\ninterface types {{\n{declarations}\n{item}\n}}\n"),
    };
    let resolved = resolver::resolve(vec![file], Vec::new())?;
    let resolve = &resolved.resolve;
    let interface = &resolve.interfaces[resolve.packages[resolved.main].interfaces[0]];
    let source = Source::new("", text, Vec::new());
    let misfit = |error: ParserError| {
        let span = error.span();
        vec![source.diagnostic(source.place_in_original(span), message(&error), "")]
    };
    let unsupported =
        |error: wasm_wave::wasm::WasmValueError| vec![plain(error.to_string(), "WAVE cannot write it")];
    if !is_function {
        let ty = resolve_wit_type(resolve, interface.types["asked"]).map_err(unsupported)?;
        let value: Value = wasm_wave::from_str(&ty, text).map_err(misfit)?;
        return spell(&value);
    }
    let ty = resolve_wit_func_type(resolve, &interface.functions["asked"]).map_err(unsupported)?;
    let call = UntypedFuncCall::parse(text).map_err(misfit)?;
    let types: Vec<Type> = ty.params().collect();
    let values: Vec<Value> = call.to_wasm_params(&types).map_err(misfit)?;
    let spelled: Vec<String> = values.iter().map(spell).collect::<Result<_>>()?;
    Ok(format!("{}({})", call.name(), spelled.join(", ")))
}

fn message(error: &ParserError) -> String {
    match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    }
}

fn spell(value: &Value) -> Result<String> {
    wasm_wave::to_string(value).map_err(|error| vec![plain(error.to_string(), "")])
}
