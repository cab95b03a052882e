//! Why a set does not take a row, or does not let one go: the same for everybody who writes.

use polygate_model::Id;
use polygate_model::schema::FieldErrors;
use thiserror::Error;

#[derive(Debug, Clone, PartialEq, Error)]
pub enum Violation {
    /// The row is wrong in itself.
    #[error(transparent)]
    Schema(FieldErrors),
    #[error("invalid reference '{field}: {id}' (no such entry in '{collection}')")]
    ForeignKey { field: &'static str, id: Id, collection: &'static str },
    #[error("uniqueness violation: '{collection}' entity with primary key set to '{id}' already declared")]
    PrimaryKey { collection: &'static str, id: Id },
    /// By the fields that are unique together, without those that are not set. Secrets are masked.
    #[error(
        "uniqueness violation: '{collection}' entity with {} set to '{}' already declared",
        fields.join(", "),
        values.join(", ")
    )]
    Unique { collection: &'static str, fields: Vec<&'static str>, values: Vec<String> },
    /// Of a deletion.
    #[error("an existing '{child}' entity references this '{parent}' entity")]
    Referenced { child: &'static str, parent: &'static str },
}
