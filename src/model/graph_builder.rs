//! Making a graph.

use crate::error::{Error, Result};
use crate::model::graph::{Graph, Node, NodeOp, ValueId};
use crate::model::shape::Shape;
use burn_tensor::Tensor;
use std::sync::Arc;

/// Hands out the tensor of a name, flat, of a given shape: where a network's weights come from.
pub type WeightSource<'a> = dyn FnMut(&str, &[usize]) -> Result<Tensor<1>> + 'a;

/// Where the builder was before it entered a layer.
pub(super) struct Place {
    within: String,
    layer: Arc<str>,
}

/// Makes a graph, node by node.
pub(super) struct GraphBuilder<'a, 'b> {
    source: &'a mut WeightSource<'b>,
    graph: Graph,
    /// The card's name, for messages.
    card: &'a str,
    /// How many random and sparse layers there are so far.
    random: u64,
    /// The way to the layers at hand, for messages: `layer 2, body `.
    within: String,
    /// The layer at hand, for messages.
    layer: Arc<str>,
}

impl<'a, 'b> GraphBuilder<'a, 'b> {
    /// An empty graph for an input of shape `[C, H, W]`; `source` hands out the weights.
    pub(super) fn new(input: [usize; 3], card: &'a str, source: &'a mut WeightSource<'b>) -> Self {
        let graph = Graph { input: Shape::Map(input), nodes: Vec::new() };
        Self { source, graph, card, random: 0, within: String::new(), layer: Arc::from("") }
    }

    /// The graph of all nodes so far.
    pub(super) fn finish(self) -> Graph {
        self.graph
    }

    /// Enters the layer number `at` (from 0) of a list, for messages; answers with what
    /// [`Self::leave`] is to be told.
    pub(super) fn enter(&mut self, at: usize, called: &str) -> Place {
        let place = Place { within: self.within.clone(), layer: self.layer.clone() };
        let name = format!("{}layer {}", self.within, at + 1);
        self.layer = Arc::from(format!("{name} ({called})"));
        self.within = format!("{name}, body ");
        place
    }

    /// Leaves the layer that was entered last.
    pub(super) fn leave(&mut self, place: Place) {
        (self.within, self.layer) = (place.within, place.layer);
    }

    /// Adds a node; answers with its output.
    pub(super) fn push(
        &mut self,
        op: impl NodeOp + 'static,
        inputs: &[ValueId],
        output: Shape,
    ) -> ValueId {
        let (op, inputs, layer) = (Arc::new(op), inputs.to_vec(), self.layer.clone());
        self.graph.nodes.push(Node { op, inputs, output, layer });
        self.graph.nodes.len()
    }

    /// The shape of a value.
    pub(super) fn shape(&self, value: ValueId) -> Shape {
        self.graph.shape(value)
    }

    /// The tensor `name.part`, flat, which must have this shape.
    ///
    /// # Errors
    /// Whatever the source reports.
    pub(super) fn take(&mut self, name: &str, part: &str, shape: &[usize]) -> Result<Tensor<1>> {
        (self.source)(&format!("{name}.{part}"), shape)
    }

    /// The number of the next random or sparse layer.
    pub(super) fn next_random(&mut self) -> u64 {
        self.random += 1;
        self.random - 1
    }

    /// That the layers do not fit each other.
    pub(super) fn misfit(&self, what: String) -> Error {
        Error::failure(what, format!("card '{}'", self.card), "make the layer sizes agree")
    }
}
