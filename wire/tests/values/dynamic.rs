//! A value whose type in serde's data model is chosen at run time.
//!
//! Derived code depends only on the `Serialize` and `Deserialize` of a field's type. So one dynamic type
//! can stand for all types in every position, and each position is compiled once.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};
use serde::ser::{SerializeMap, SerializeStruct, SerializeTuple, SerializeTupleVariant};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_bytes::ByteBuf;

/// A type.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Type {
    Bool,
    I8,
    I16,
    I32,
    I64,
    I128,
    U8,
    U16,
    U32,
    U64,
    U128,
    F32,
    F64,
    Char,
    Text,
    Bytes,
    Unit,
    UnitStruct,
    Option(Box<Type>),
    Newtype(Box<Type>),
    List(Box<Type>),
    Tuple(Vec<Type>),
    Map(Box<Type>, Box<Type>),
    Struct(Box<Type>, Box<Type>),
    /// An enum with a variant of each kind and this content.
    Enum(Box<Type>),
}

/// A value of a [`Type`].
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Bool(bool),
    /// An integer of up to 64 bits, or an `i128`.
    Int(i128),
    U128(u128),
    /// The bits of a float, to compare NaN values.
    F32(u32),
    F64(u64),
    Char(char),
    Text(String),
    Bytes(Vec<u8>),
    Unit,
    None,
    Some(Box<Value>),
    Newtype(Box<Value>),
    List(Vec<Value>),
    Map(Vec<(Value, Value)>),
    Struct(Box<Value>, Box<Value>),
    UnitVariant,
    NewtypeVariant(Box<Value>),
    TupleVariant(Box<Value>, Box<Value>),
    StructVariant(Box<Value>, Box<Value>),
}

thread_local! {
    static CURRENT: RefCell<Type> = const { RefCell::new(Type::Unit) };
}

/// A value with its type. It is decoded as the thread's current type.
#[derive(Debug, Clone)]
pub(crate) struct Dynamic {
    pub(crate) type_: Type,
    pub(crate) value: Value,
}

impl PartialEq for Dynamic {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

/// Makes `type_` the one as which values are read from now on.
pub(crate) fn set_current(type_: &Type) {
    CURRENT.with(|current| *current.borrow_mut() = type_.clone());
}

const STRUCT: &[&str] = &["first", "second"];
const VARIANTS: &[&str] = &["Unit", "Newtype", "Tuple", "Struct"];

impl Serialize for Dynamic {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Typed(&self.type_, &self.value).serialize(serializer)
    }
}

struct Typed<'a>(&'a Type, &'a Value);

impl Serialize for Typed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.0, self.1) {
            (Type::Bool, Value::Bool(value)) => serializer.serialize_bool(*value),
            (Type::I8, Value::Int(value)) => serializer.serialize_i8(*value as i8),
            (Type::I16, Value::Int(value)) => serializer.serialize_i16(*value as i16),
            (Type::I32, Value::Int(value)) => serializer.serialize_i32(*value as i32),
            (Type::I64, Value::Int(value)) => serializer.serialize_i64(*value as i64),
            (Type::I128, Value::Int(value)) => serializer.serialize_i128(*value),
            (Type::U8, Value::Int(value)) => serializer.serialize_u8(*value as u8),
            (Type::U16, Value::Int(value)) => serializer.serialize_u16(*value as u16),
            (Type::U32, Value::Int(value)) => serializer.serialize_u32(*value as u32),
            (Type::U64, Value::Int(value)) => serializer.serialize_u64(*value as u64),
            (Type::U128, Value::U128(value)) => serializer.serialize_u128(*value),
            (Type::F32, Value::F32(bits)) => serializer.serialize_f32(f32::from_bits(*bits)),
            (Type::F64, Value::F64(bits)) => serializer.serialize_f64(f64::from_bits(*bits)),
            (Type::Char, Value::Char(value)) => serializer.serialize_char(*value),
            (Type::Text, Value::Text(value)) => serializer.serialize_str(value),
            (Type::Bytes, Value::Bytes(value)) => serializer.serialize_bytes(value),
            (Type::Unit, Value::Unit) => serializer.serialize_unit(),
            (Type::UnitStruct, Value::Unit) => serializer.serialize_unit_struct("UnitStruct"),
            (Type::Option(_), Value::None) => serializer.serialize_none(),
            (Type::Option(type_), Value::Some(value)) => {
                serializer.serialize_some(&Typed(type_, value))
            }
            (Type::Newtype(type_), Value::Newtype(value)) => {
                serializer.serialize_newtype_struct("Newtype", &Typed(type_, value))
            }
            (Type::List(type_), Value::List(values)) => {
                serializer.collect_seq(values.iter().map(|value| Typed(type_, value)))
            }
            (Type::Tuple(types), Value::List(values)) => {
                let mut tuple = serializer.serialize_tuple(types.len())?;
                for (type_, value) in types.iter().zip(values) {
                    tuple.serialize_element(&Typed(type_, value))?;
                }
                tuple.end()
            }
            (Type::Map(keys, values), Value::Map(entries)) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(&Typed(keys, key), &Typed(values, value))?;
                }
                map.end()
            }
            (Type::Struct(first, second), Value::Struct(one, two)) => {
                let mut fields = serializer.serialize_struct("Struct", 2)?;
                fields.serialize_field(STRUCT[0], &Typed(first, one))?;
                fields.serialize_field(STRUCT[1], &Typed(second, two))?;
                fields.end()
            }
            (Type::Enum(type_), value) => serialize_variant(type_, value, serializer),
            (type_, value) => panic!("{value:?} is no {type_:?}"),
        }
    }
}

fn serialize_variant<S: Serializer>(
    type_: &Type,
    value: &Value,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Value::UnitVariant => serializer.serialize_unit_variant("Enum", 0, VARIANTS[0]),
        Value::NewtypeVariant(value) => {
            serializer.serialize_newtype_variant("Enum", 1, VARIANTS[1], &Typed(type_, value))
        }
        Value::TupleVariant(one, two) => {
            let mut tuple = serializer.serialize_tuple_variant("Enum", 2, VARIANTS[2], 2)?;
            tuple.serialize_field(&Typed(type_, one))?;
            tuple.serialize_field(&Typed(type_, two))?;
            tuple.end()
        }
        Value::StructVariant(one, two) => {
            let mut fields = serializer.serialize_struct_variant("Enum", 3, VARIANTS[3], 2)?;
            serde::ser::SerializeStructVariant::serialize_field(
                &mut fields,
                STRUCT[0],
                &Typed(type_, one),
            )?;
            serde::ser::SerializeStructVariant::serialize_field(
                &mut fields,
                STRUCT[1],
                &Typed(type_, two),
            )?;
            serde::ser::SerializeStructVariant::end(fields)
        }
        value => panic!("{value:?} is no variant"),
    }
}

impl<'de> Deserialize<'de> for Dynamic {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let type_ = CURRENT.with(|current| current.borrow().clone());
        let value = Seed(&type_).deserialize(deserializer)?;
        Ok(Self { type_, value })
    }
}

/// Deserializes a value of a type.
#[derive(Clone, Copy)]
struct Seed<'a>(&'a Type);

macro_rules! int {
    ($number:ty, $deserializer:ident) => {
        <$number>::deserialize($deserializer).map(|number| Value::Int(number.into()))
    };
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        match self.0 {
            Type::Bool => bool::deserialize(from).map(Value::Bool),
            Type::I8 => int!(i8, from),
            Type::I16 => int!(i16, from),
            Type::I32 => int!(i32, from),
            Type::I64 => int!(i64, from),
            Type::I128 => int!(i128, from),
            Type::U8 => int!(u8, from),
            Type::U16 => int!(u16, from),
            Type::U32 => int!(u32, from),
            Type::U64 => int!(u64, from),
            Type::U128 => u128::deserialize(from).map(Value::U128),
            Type::F32 => f32::deserialize(from).map(|number| Value::F32(number.to_bits())),
            Type::F64 => f64::deserialize(from).map(|number| Value::F64(number.to_bits())),
            Type::Char => char::deserialize(from).map(Value::Char),
            Type::Text => String::deserialize(from).map(Value::Text),
            Type::Bytes => ByteBuf::deserialize(from).map(|bytes| Value::Bytes(bytes.into_vec())),
            Type::Unit => <()>::deserialize(from).map(|()| Value::Unit),
            Type::UnitStruct => from.deserialize_unit_struct("UnitStruct", self),
            Type::Option(_) => from.deserialize_option(self),
            Type::Newtype(_) => from.deserialize_newtype_struct("Newtype", self),
            Type::List(_) => from.deserialize_seq(self),
            Type::Tuple(types) => from.deserialize_tuple(types.len(), self),
            Type::Map(..) => from.deserialize_map(self),
            Type::Struct(..) => from.deserialize_struct("Struct", STRUCT, self),
            Type::Enum(_) => from.deserialize_enum("Enum", VARIANTS, self),
        }
    }
}

/// The index of a field or a variant.
struct Name(usize);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl Visitor<'_> for NameVisitor {
            type Value = Name;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Name, E> {
                Ok(Name(number as usize))
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Name, E> {
                let all = || STRUCT.iter().chain(VARIANTS);
                let found = all().position(|known| *known == name);
                let found = found.map(|index| index.checked_sub(2).unwrap_or(index));
                found.map(Name).ok_or_else(|| E::custom(format!("no name: {name}")))
            }
        }
        deserializer.deserialize_identifier(NameVisitor)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Value, E> {
        match self.0 {
            Type::UnitStruct => Ok(Value::Unit),
            Type::Option(_) => Ok(Value::None),
            _ => Err(E::invalid_type(serde::de::Unexpected::Unit, &self)),
        }
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<Value, E> {
        match self.0 {
            Type::Option(_) => Ok(Value::None),
            _ => Err(E::invalid_type(serde::de::Unexpected::Option, &self)),
        }
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        match self.0 {
            Type::Option(type_) => Ok(Value::Some(Box::new(Seed(type_).deserialize(from)?))),
            _ => Err(serde::de::Error::invalid_type(serde::de::Unexpected::Option, &self)),
        }
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        match self.0 {
            Type::Newtype(type_) => Ok(Value::Newtype(Box::new(Seed(type_).deserialize(from)?))),
            _ => Err(serde::de::Error::custom("no newtype")),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let missing = |index| serde::de::Error::invalid_length(index, &self);
        match self.0 {
            Type::List(type_) => {
                let mut values = Vec::new();
                while let Some(value) = seq.next_element_seed(Seed(type_))? {
                    values.push(value);
                }
                Ok(Value::List(values))
            }
            Type::Tuple(types) => {
                let mut values = Vec::new();
                for (index, type_) in types.iter().enumerate() {
                    let value = seq.next_element_seed(Seed(type_))?;
                    values.push(value.ok_or_else(|| missing(index))?);
                }
                Ok(Value::List(values))
            }
            Type::Struct(first, second) => {
                let one = seq.next_element_seed(Seed(first))?.ok_or_else(|| missing(0))?;
                let two = seq.next_element_seed(Seed(second))?.ok_or_else(|| missing(1))?;
                Ok(Value::Struct(Box::new(one), Box::new(two)))
            }
            _ => Err(serde::de::Error::invalid_type(serde::de::Unexpected::Seq, &self)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        match self.0 {
            Type::Map(keys, values) => {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry_seed(Seed(keys), Seed(values))? {
                    entries.push(entry);
                }
                Ok(Value::Map(entries))
            }
            Type::Struct(first, second) => {
                let (mut one, mut two) = (None, None);
                while let Some(name) = map.next_key::<Name>()? {
                    match name {
                        Name(0) => one = Some(map.next_value_seed(Seed(first))?),
                        Name(1) => two = Some(map.next_value_seed(Seed(second))?),
                        _ => _ = map.next_value::<serde::de::IgnoredAny>()?,
                    }
                }
                let one = one.ok_or_else(|| serde::de::Error::missing_field(STRUCT[0]))?;
                let two = two.ok_or_else(|| serde::de::Error::missing_field(STRUCT[1]))?;
                Ok(Value::Struct(Box::new(one), Box::new(two)))
            }
            _ => Err(serde::de::Error::invalid_type(serde::de::Unexpected::Map, &self)),
        }
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Value, A::Error> {
        let Type::Enum(type_) = self.0 else {
            return Err(serde::de::Error::custom("no enum"));
        };
        let pair = Type::Tuple(vec![Type::clone(type_), Type::clone(type_)]);
        let both = Type::Struct(type_.clone(), type_.clone());
        match data.variant::<Name>()? {
            (Name(0), variant) => variant.unit_variant().map(|()| Value::UnitVariant),
            (Name(1), variant) => {
                let value = variant.newtype_variant_seed(Seed(type_))?;
                Ok(Value::NewtypeVariant(Box::new(value)))
            }
            (Name(2), variant) => match variant.tuple_variant(2, Seed(&pair))? {
                Value::List(values) => {
                    let mut values = values.into_iter().map(Box::new);
                    let (Some(one), Some(two)) = (values.next(), values.next()) else {
                        return Err(serde::de::Error::custom("no pair"));
                    };
                    Ok(Value::TupleVariant(one, two))
                }
                _ => Err(serde::de::Error::custom("no pair")),
            },
            (_, variant) => match variant.struct_variant(STRUCT, Seed(&both))? {
                Value::Struct(one, two) => Ok(Value::StructVariant(one, two)),
                _ => Err(serde::de::Error::custom("no structure")),
            },
        }
    }
}
