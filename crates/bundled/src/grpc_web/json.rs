//! Messages in JSON (proto3, JSON Mapping), by the file that describes the service.

use std::path::Path;

use prost::Message as _;
use prost_reflect::{
    DescriptorPool, DeserializeOptions, DynamicMessage, MessageDescriptor, SerializeOptions,
};
use protox::Compiler;

/// What files import beside those of their own folder.
const IMPORTS: &str = "/usr/include";

/// As the reference has it: names as in the file, numbers as numbers.
const WRITING: SerializeOptions =
    SerializeOptions::new().use_proto_field_name(true).stringify_64_bit_integers(false);
const READING: DeserializeOptions = DeserializeOptions::new().deny_unknown_fields(false);

/// The services of a file.
pub struct Services(DescriptorPool);

/// The messages of one method.
pub struct Method {
    input: MessageDescriptor,
    output: MessageDescriptor,
}

impl Services {
    pub fn read(file: &Path) -> Result<Self, String> {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        let compiled = Compiler::new([folder.unwrap_or(Path::new(".")), Path::new(IMPORTS)])
            .and_then(|mut compiler| Ok(compiler.include_imports(true).open_file(file)?.descriptor_pool()));
        compiled.map(Self).map_err(|error| format!("proto {}: {error}", file.display()))
    }

    /// Of a path such as `/package.Service/Method`.
    pub fn method(&self, path: &str) -> Option<Method> {
        let (service, method) = path.strip_prefix('/')?.split_once('/')?;
        let service = self.0.get_service_by_name(service)?;
        let found = service.methods().find(|it| it.name() == method)?;
        Some(Method { input: found.input(), output: found.output() })
    }
}

impl Method {
    /// The error says what is wrong with the text.
    pub fn to_message(&self, json: &[u8]) -> Result<Vec<u8>, String> {
        let mut reader = serde_json::Deserializer::from_slice(json);
        let message = DynamicMessage::deserialize_with_options(self.input.clone(), &mut reader, &READING);
        let message = message.map_err(|error| error.to_string())?;
        reader.end().map_err(|error| error.to_string())?;
        Ok(message.encode_to_vec())
    }

    pub fn to_json(&self, message: &[u8]) -> Result<Vec<u8>, String> {
        let message =
            DynamicMessage::decode(self.output.clone(), message).map_err(|error| error.to_string())?;
        let mut json = Vec::new();
        let mut writer = serde_json::Serializer::new(&mut json);
        message.serialize_with_options(&mut writer, &WRITING).map_err(|error| error.to_string())?;
        Ok(json)
    }
}
