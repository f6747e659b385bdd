//! From a stack of defences to a pipeline.

use crate::defence::branch::{Branch, NetworkSource};
use crate::defence::builder::{EnsembleMember, ModelProvider, PipelineBuilder};
use crate::defence::calibration;
use crate::defence::detector::{Detector, RejectionThreshold};
use crate::defence::pipeline::Pipeline;
use crate::defence::stack::DefenceStack;
use crate::error::Result;
use crate::model::Model;
use std::sync::Arc;

impl Pipeline {
    /// Builds the stack round `base`; all its random numbers follow from `seed`.
    ///
    /// # Errors
    /// Usage, where a defence does not apply, saying why; failures of loading; device failures.
    pub fn build(
        stack: &DefenceStack,
        base: Arc<Model>,
        seed: u64,
        provider: &mut dyn ModelProvider,
    ) -> Result<Self> {
        let mut builder = PipelineBuilder::new(base, provider);
        for config in stack.defences() {
            let row = config.defence;
            builder.begin(row.id, row.backward, row.randomised);
            (row.build)(&config.settings, &mut builder)?;
        }
        finish(builder, stack.clone(), seed)
    }
}

fn finish(mut builder: PipelineBuilder<'_>, stack: DefenceStack, seed: u64) -> Result<Pipeline> {
    let members = builder.members()?;
    let source = |member: &EnsembleMember| match &builder.inside {
        Some((inside, _)) => inside(&member.model),
        None => Ok(NetworkSource::Fixed(Arc::new(member.model.network.clone()))),
    };
    let sources = members.iter().map(source).collect::<Result<Vec<_>>>()?;
    let mut branches = Vec::new();
    builder.views.insert(0, Vec::new());
    for view in &builder.views {
        branches.extend(members.iter().zip(&sources).map(|(member, source)| Branch {
            stages: view.iter().chain(&member.stages).cloned().collect(),
            source: source.clone(),
        }));
    }
    let mut pipeline = Pipeline {
        stack,
        base: builder.base,
        models: members.into_iter().map(|member| member.model).collect(),
        stages: builder.stages,
        branches,
        views: builder.views.len(),
        inner: builder.inner,
        rules: builder.rules,
        detector: None,
        seed,
    };
    pipeline.detector = match builder.detector {
        None => None,
        Some((score, RejectionThreshold::Unsure(threshold, basis))) => {
            Some(Detector { detects: false, score, threshold, basis })
        }
        Some((score, RejectionThreshold::Attacked(rate))) => {
            Some(calibration::calibrated(&pipeline, score, rate)?)
        }
    };
    Ok(pipeline)
}
