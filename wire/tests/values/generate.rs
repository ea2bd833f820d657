//! Random types, and random values of them, edge cases included.

use crate::dynamic::{Type, Value};

/// All types without other types inside.
pub(crate) const SIMPLE: [Type; 18] = [
    Type::Bool,
    Type::I8,
    Type::I16,
    Type::I32,
    Type::I64,
    Type::I128,
    Type::U8,
    Type::U16,
    Type::U32,
    Type::U64,
    Type::U128,
    Type::F32,
    Type::F64,
    Type::Char,
    Type::Text,
    Type::Bytes,
    Type::Unit,
    Type::UnitStruct,
];

/// A deterministic random number generator: xorshift64*.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 33) as usize % bound
    }

    fn one_of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())].clone()
    }

    /// Returns a random type of at most `levels` levels.
    pub(crate) fn type_(&mut self, levels: usize) -> Type {
        if levels == 0 {
            return self.one_of(&SIMPLE);
        }
        let kinds = constructed(self.type_(levels - 1), self.type_(levels - 1));
        self.one_of(&kinds)
    }

    /// A whole number: any, a small one, or an extreme one.
    fn int(&mut self, least: i128, most: i128) -> i128 {
        let any = i128::from(self.next() as i64);
        match self.below(5) {
            0 => least,
            1 => most,
            2 => any.clamp(least, most),
            _ => (any % 200).clamp(least, most),
        }
    }

    /// A value of the type.
    pub(crate) fn value(&mut self, type_: &Type) -> Value {
        match type_ {
            Type::Bool => Value::Bool(self.below(2) == 0),
            Type::I8 => Value::Int(self.int(i8::MIN.into(), i8::MAX.into())),
            Type::I16 => Value::Int(self.int(i16::MIN.into(), i16::MAX.into())),
            Type::I32 => Value::Int(self.int(i32::MIN.into(), i32::MAX.into())),
            Type::I64 => Value::Int(self.int(i64::MIN.into(), i64::MAX.into())),
            Type::I128 => Value::Int(self.int(i128::MIN, i128::MAX)),
            Type::U8 => Value::Int(self.int(0, u8::MAX.into())),
            Type::U16 => Value::Int(self.int(0, u16::MAX.into())),
            Type::U32 => Value::Int(self.int(0, u32::MAX.into())),
            Type::U64 => Value::Int(self.int(0, u64::MAX.into())),
            Type::U128 => Value::U128(match self.below(3) {
                0 => u128::MAX,
                1 => 7,
                _ => u128::from(self.next()) << 32,
            }),
            Type::F32 => {
                let nan_with_payload = 0x7fc0_1234;
                let numbers = [0.0, -0.0, 1.0, f32::MIN_POSITIVE, f32::INFINITY, 0.1];
                Value::F32(match self.below(7) {
                    6 => nan_with_payload,
                    index => numbers[index].to_bits(),
                })
            }
            Type::F64 => {
                let nan_with_payload = 0x7ff8_0000_dead_beef;
                let numbers = [0.0, -0.0, 1.0, f64::MAX, f64::NEG_INFINITY, 0.1];
                Value::F64(match self.below(7) {
                    6 => nan_with_payload,
                    index => numbers[index].to_bits(),
                })
            }
            Type::Char => Value::Char(self.one_of(&['a', '7', 'ß', '\0', '\u{10ffff}'])),
            Type::Text => {
                let texts = ["", "a", "5", "true", "Unit", "line\nline", "wörld", "first", "t"];
                Value::Text(self.one_of(&texts).to_owned())
            }
            Type::Bytes => Value::Bytes(self.bytes()),
            Type::Unit | Type::UnitStruct => Value::Unit,
            Type::Option(type_) => match self.below(3) {
                0 => Value::None,
                _ => Value::Some(Box::new(self.value(type_))),
            },
            Type::Newtype(type_) => Value::Newtype(Box::new(self.value(type_))),
            Type::List(type_) => Value::List(self.values(type_)),
            Type::Tuple(types) => {
                Value::List(types.iter().map(|type_| self.value(type_)).collect())
            }
            Type::Map(keys, values) => Value::Map(self.entries(keys, values)),
            Type::Struct(first, second) => {
                Value::Struct(Box::new(self.value(first)), Box::new(self.value(second)))
            }
            Type::Enum(type_) => match self.below(4) {
                0 => Value::UnitVariant,
                1 => Value::NewtypeVariant(Box::new(self.value(type_))),
                2 => Value::TupleVariant(Box::new(self.value(type_)), Box::new(self.value(type_))),
                _ => Value::StructVariant(Box::new(self.value(type_)), Box::new(self.value(type_))),
            },
        }
    }

    fn bytes(&mut self) -> Vec<u8> {
        let length = self.one_of(&[0, 1, 3, 40, 300]);
        (0..length).map(|_| self.next() as u8).collect()
    }

    fn values(&mut self, type_: &Type) -> Vec<Value> {
        let length = self.one_of(&[0, 1, 2, 17]);
        (0..length).map(|_| self.value(type_)).collect()
    }

    /// Entries whose keys differ.
    fn entries(&mut self, keys: &Type, values: &Type) -> Vec<(Value, Value)> {
        let mut entries: Vec<(Value, Value)> = Vec::new();
        for _ in 0..self.one_of(&[0, 1, 3, 17]) {
            let key = self.value(keys);
            if entries.iter().all(|(known, _)| *known != key) {
                entries.push((key, self.value(values)));
            }
        }
        entries
    }
}

/// All types that are made of `one` and `other`.
pub(crate) fn constructed(one: Type, other: Type) -> Vec<Type> {
    let boxed = || Box::new(one.clone());
    vec![
        one.clone(),
        Type::Option(boxed()),
        Type::Newtype(boxed()),
        Type::List(boxed()),
        Type::Tuple(vec![one.clone(), other.clone()]),
        Type::Map(boxed(), Box::new(other.clone())),
        Type::Struct(boxed(), Box::new(other)),
        Type::Enum(boxed()),
    ]
}
