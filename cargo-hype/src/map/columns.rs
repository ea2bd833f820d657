//! The assignment of a table's columns to the parameters of a function.

use csv::StringRecord;
use hype::Closure;
use hype::component::{
    ComponentFunction, EncodedValue, TextArgument, TextArguments, TextRecord, ValueType, WitType,
};

use crate::error::{Error, Result};
use crate::json::{self, Json};

/// The assignment of a table's columns to a function.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Columns {
    /// Parameters: the position of the column of each.
    Parameters(Vec<usize>),
    /// The fields of the only parameter: the name of each column.
    Fields(Vec<String>),
}

impl Columns {
    /// Assigns the columns in `header` by their names.
    ///
    /// # Errors
    ///
    /// If a parameter has no column or a column no parameter.
    pub(super) fn of(function: &ComponentFunction, header: &StringRecord) -> Result<Self> {
        let name = function.name();
        let parameters: Vec<(&str, ValueType)> = match (function.signature(), function.wit()) {
            (Some(signature), _) => {
                let parameters = signature.parameters.iter();
                parameters
                    .map(|parameter| (&*parameter.name, parameter.value_type.clone()))
                    .collect()
            }
            (None, Some(exported)) => {
                let parameters = exported.parameters.iter();
                parameters.map(|(name, of)| (&**name, ValueType::Wit(of.clone()))).collect()
            }
            (None, None) => {
                let problem = format!("`{name}` has no signature that names its parameters");
                return Err(Error::input(problem).hint("use lines of JSON instead of CSV"));
            }
        };
        let header: Vec<&str> = header.iter().collect();
        assign(name, &parameters, &header)
    }

    /// Binds the cells of a row.
    pub(super) fn bind(
        &self,
        function: ComponentFunction,
        row: &StringRecord,
    ) -> Closure<EncodedValue> {
        match self {
            Self::Parameters(positions) => {
                let cells = positions.iter().map(|at| argument(row.get(*at).unwrap_or_default()));
                function.bind(TextArguments(&cells.collect::<Vec<_>>()))
            }
            Self::Fields(names) => {
                let fields =
                    names.iter().zip(row).map(|(name, cell)| (name.clone(), argument(cell)));
                function.bind(TextRecord { fields: fields.collect() })
            }
        }
    }
}

fn assign(function: &str, parameters: &[(&str, ValueType)], header: &[&str]) -> Result<Columns> {
    let hint = |error: Error| error.hint(format!("the columns are: {}", header.join(", ")));
    if let Some((_, twice)) =
        header.iter().enumerate().find(|(index, name)| header[..*index].contains(name))
    {
        return Err(Error::input(format!("two columns have the name `{twice}`")));
    }
    let column = |parameter: &str| header.iter().position(|name| is_named(name, parameter));
    let columns = parameters.iter().map(|(parameter, _)| column(parameter));
    let Some(columns) = columns.collect::<Option<Vec<_>>>() else {
        if let [(_, only)] = parameters
            && may_have_fields(only)
        {
            return Ok(Columns::Fields(header.iter().map(|&name| name.to_owned()).collect()));
        }
        let missing = parameters.iter().filter(|(parameter, _)| column(parameter).is_none());
        let missing: Vec<_> = missing.map(|(name, of)| format!("`{name}: {of}`")).collect();
        let problem =
            format!("no column is named as the parameter {} of `{function}`", missing.join(", "));
        return Err(hint(Error::input(problem)));
    };
    match (0..header.len()).find(|index| !columns.contains(index)).map(|index| header[index]) {
        Some(other) => Err(hint(Error::input(format!(
            "`{function}` has no parameter for the column `{other}`"
        )))),
        None => Ok(Columns::Parameters(columns)),
    }
}

/// Compares names, where `-` and `_` are the same.
fn is_named(column: &str, parameter: &str) -> bool {
    column == parameter || column.replace('-', "_") == parameter.replace('-', "_")
}

/// Returns whether a value of this type may be a record. The name of a type in Rust doesn't always say it.
fn may_have_fields(of: &ValueType) -> bool {
    const SCALARS: [&str; 16] = [
        "bool", "char", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16",
        "u32", "u64", "u128", "usize",
    ];
    match of {
        ValueType::Wit(of) => matches!(of, WitType::Record(_)),
        ValueType::Rust(name) => {
            let is_list =
                name.starts_with("Vec<") || name.starts_with('[') || name.starts_with('(');
            name != "String" && !is_list && !SCALARS.contains(&name.as_str())
        }
        _ => true,
    }
}

/// Returns the argument of a cell: its text, and its value as JSON, the same text, or nothing if the cell is empty. The
/// parameter's type chooses among them. Quotes that are left in a cell belong to its text.
fn argument(cell: &str) -> TextArgument<Json> {
    let value = match json::read(cell) {
        Err(_) if cell.is_empty() => Json::Null,
        Ok(Json::Text(_)) | Err(_) => Json::Text(cell.to_owned()),
        Ok(value) => value,
    };
    TextArgument { text: cell.to_owned(), value: Ok(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Parameters = &'static [(&'static str, &'static str)];

    fn assigned(parameters: Parameters, header: &[&str]) -> std::result::Result<Columns, String> {
        let typed = |(name, of): &(&'static str, &str)| (*name, ValueType::Rust((*of).to_owned()));
        let parameters: Vec<_> = parameters.iter().map(typed).collect();
        assign("f", &parameters, header).map_err(|error| error.to_string())
    }

    #[test]
    fn columns_are_assigned_by_name() {
        let two: Parameters = &[("text", "String"), ("max_count", "usize")];
        assert_eq!(assigned(two, &["max-count", "text"]), Ok(Columns::Parameters(vec![1, 0])));
        let order: Parameters = &[("order", "Order")];
        assert_eq!(assigned(order, &["order"]), Ok(Columns::Parameters(vec![0])));
        let fields = Columns::Fields(vec!["item".into(), "count".into()]);
        assert_eq!(assigned(order, &["item", "count"]), Ok(fields));
    }

    #[test]
    fn cell_has_its_text_and_a_value() {
        for (cell, value) in [
            ("", Json::Null),
            ("7", Json::Unsigned(7)),
            ("007", Json::Text("007".to_owned())),
            ("a", Json::Text("a".to_owned())),
            ("\"a\"", Json::Text("\"a\"".to_owned())),
        ] {
            let TextArgument { text, value: read } = argument(cell);
            assert_eq!((text.as_str(), read), (cell, Ok(value)));
        }
    }

    #[test]
    fn column_without_parameter_and_parameter_without_column_are_errors() {
        let two: Parameters = &[("text", "String"), ("most", "usize")];
        let one: Parameters = &[("arg", "String")];
        for (parameters, header, problem) in [
            (
                two,
                &["text", "number"][..],
                "no column is named as the parameter `most: usize` of `f`",
            ),
            (two, &["text", "most", "x"], "`f` has no parameter for the column `x`"),
            (two, &["text", "text"], "two columns have the name `text`"),
            (one, &["name"], "no column is named as the parameter `arg: String` of `f`"),
            (&[], &["name"], "`f` has no parameter for the column `name`"),
        ] {
            assert_eq!(assigned(parameters, header).unwrap_err(), problem);
        }
    }
}
