//! The body of an upstream's answer, through the plugins that filter it.

use std::borrow::Cow;
use std::task::{Context, Poll, ready};

use polygate_chain::{BodyFilter, Exchange};
use polygate_http1::Headers;

use crate::failure::Failure;
use crate::upstream::AnswerBody;

/// Filters, and what they made of the content so far.
#[derive(Default)]
pub struct Filters {
    filters: Vec<Box<dyn BodyFilter>>,
    /// What came out and was not taken.
    out: Vec<u8>,
    /// Bytes of it that were taken.
    taken: usize,
    trailers: Option<Headers>,
    is_ended: bool,
}

impl Filters {
    pub fn new(filters: Vec<Box<dyn BodyFilter>>) -> Self {
        Self { filters, ..Self::default() }
    }

    pub fn is_empty(&self) -> bool {
        self.filters.is_empty()
    }

    pub fn keep_length(&self) -> bool {
        self.filters.iter().all(|filter| filter.keeps_length())
    }

    /// What a whole body becomes.
    pub fn whole(mut self, exchange: &mut Exchange, body: &[u8]) -> Vec<u8> {
        self.piece(exchange, body);
        self.end(exchange);
        self.out
    }

    fn piece(&mut self, exchange: &mut Exchange, piece: &[u8]) {
        let mut piece = Cow::Borrowed(piece);
        for filter in &mut self.filters {
            let mut out = Vec::with_capacity(piece.len());
            filter.piece(exchange, &piece, &mut out);
            piece = Cow::Owned(out);
        }
        self.out.extend_from_slice(&piece);
    }

    /// What one has left is a piece for the next.
    fn end(&mut self, exchange: &mut Exchange) {
        if let Some(trailers) = &mut self.trailers {
            self.filters.iter_mut().for_each(|filter| filter.trailers(trailers));
        }
        let mut left = Vec::new();
        for filter in &mut self.filters {
            let mut out = Vec::new();
            if !left.is_empty() {
                filter.piece(exchange, &left, &mut out);
            }
            filter.end(exchange, &mut out);
            left = out;
        }
        self.out.extend_from_slice(&left);
    }
}

/// A body with its filters; without any it is as it comes.
pub struct Flow<'a> {
    pub body: &'a mut AnswerBody,
    pub filters: &'a mut Filters,
    pub exchange: &'a mut Exchange,
}

impl Flow<'_> {
    /// Waits for content: what [`Flow::content`] shows then, or nothing at the end.
    pub fn poll_content(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        let Self { body, filters, exchange } = self;
        if filters.is_empty() {
            return body.poll_content(cx);
        }
        while filters.taken == filters.out.len() && !filters.is_ended {
            filters.out.clear();
            filters.taken = 0;
            ready!(body.poll_content(cx))?;
            let content = body.content();
            let length = content.len();
            match length {
                0 => {
                    filters.is_ended = true;
                    filters.trailers = body.trailers();
                    filters.end(exchange);
                }
                _ => filters.piece(exchange, content),
            }
            body.consume(length);
        }
        Poll::Ready(Ok(()))
    }

    /// The content that is there.
    pub fn content(&self) -> &[u8] {
        match self.filters.is_empty() {
            true => self.body.content(),
            false => &self.filters.out[self.filters.taken..],
        }
    }

    /// What goes out behind the content, once it has ended.
    pub fn trailers(&mut self) -> Option<Headers> {
        match self.filters.is_empty() {
            true => self.body.trailers(),
            false => self.filters.trailers.take().filter(|trailers| !trailers.is_empty()),
        }
    }

    /// Takes content away.
    pub fn consume(&mut self, bytes: usize) {
        match self.filters.is_empty() {
            true => self.body.consume(bytes),
            false => self.filters.taken += bytes,
        }
    }
}
