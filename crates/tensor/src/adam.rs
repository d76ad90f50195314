//! Adam (Kingma & Ba 2015, Algorithm 1), without weight decay.

use crate::{Error, Result};
use candle_core::backprop::GradStore;
use candle_core::{CpuStorage, DType, InplaceOp2, Layout, Tensor, Var};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Where ε stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Epsilon {
    /// `m̂/(√v̂ + ε)` (Algorithm 1).
    Corrected,
    /// Chainer's: ε is not bias-corrected.
    Chainer,
}

/// Adam's constants.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamConfig {
    /// Step size α.
    pub lr: f64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// ε.
    pub eps: f64,
    /// Where ε stands.
    pub epsilon: Epsilon,
}

/// First and second moment of one parameter.
enum Moments {
    /// Ours: f32 on the CPU, updated in one pass with the weight.
    Host(Mutex<(Vec<f32>, Vec<f32>)>),
    /// Candle's: any device and type.
    Tensors(Tensor, Tensor),
}

struct Slot {
    name: String,
    var: Var,
    moments: Moments,
}

/// The optimizer of one network.
pub struct Adam {
    config: AdamConfig,
    steps: u64,
    slots: Vec<Slot>,
}

/// One parameter's update, applied to the weight's storage.
struct OnePass<'a> {
    moments: &'a Mutex<(Vec<f32>, Vec<f32>)>,
    step: sngan_kernels::adam::AdamStep,
}

impl InplaceOp2 for OnePass<'_> {
    fn name(&self) -> &'static str {
        "adam"
    }

    fn cpu_fwd(
        &self,
        w: &mut CpuStorage,
        lw: &Layout,
        g: &CpuStorage,
        lg: &Layout,
    ) -> candle_core::Result<()> {
        let (CpuStorage::F32(w), CpuStorage::F32(g)) = (w, g) else {
            candle_core::bail!("adam's one pass knows f32 only")
        };
        let (Some((w0, w1)), Some((g0, g1))) = (lw.contiguous_offsets(), lg.contiguous_offsets())
        else {
            candle_core::bail!("adam needs contiguous tensors")
        };
        let mut moments = self.moments.lock().unwrap_or_else(PoisonError::into_inner);
        let (m, v) = &mut *moments;
        sngan_kernels::adam::step(&mut w[w0..w1], m, v, &g[g0..g1], &self.step);
        Ok(())
    }
}

impl Adam {
    /// Moments start at 0. Names are those of the checkpoint.
    ///
    /// # Errors
    /// Those of the tensor library.
    pub fn new(config: AdamConfig, vars: Vec<(String, Var)>) -> Result<Adam> {
        let slots = vars
            .into_iter()
            .map(|(name, var)| {
                let moments = if var.device().is_cpu() && var.dtype() == DType::F32 {
                    Moments::Host(Mutex::new((
                        vec![0.0; var.elem_count()],
                        vec![0.0; var.elem_count()],
                    )))
                } else {
                    Moments::Tensors(var.zeros_like()?, var.zeros_like()?)
                };
                Ok(Slot { name, var, moments })
            })
            .collect::<Result<_>>()?;
        Ok(Adam { config, steps: 0, slots })
    }

    /// Changes α, for schedules.
    pub fn set_lr(&mut self, lr: f64) {
        self.config.lr = lr;
    }

    /// Updates every parameter that has a gradient; one without keeps its value and moments (as a zero gradient from the start would).
    ///
    /// # Errors
    /// Those of the tensor library.
    pub fn step(&mut self, grads: &GradStore) -> Result<()> {
        self.steps += 1;
        let AdamConfig { lr, beta1, beta2, eps, epsilon } = self.config;
        let t = self.steps as f64;
        let (c1, c2) = (1.0 - beta1.powf(t), 1.0 - beta2.powf(t));
        for slot in &mut self.slots {
            let Some(g) = grads.get(&slot.var) else { continue };
            match &mut slot.moments {
                Moments::Host(moments) => {
                    let step = sngan_kernels::adam::AdamStep::new(
                        lr,
                        beta1,
                        beta2,
                        eps,
                        self.steps,
                        epsilon == Epsilon::Chainer,
                    );
                    slot.var.inplace_op2(&g.contiguous()?, &OnePass { moments, step })?;
                }
                Moments::Tensors(m, v) => {
                    *m = ((m.affine(beta1, 0.0)? + g.affine(1.0 - beta1, 0.0)?)?).detach();
                    *v = ((v.affine(beta2, 0.0)? + g.sqr()?.affine(1.0 - beta2, 0.0)?)?).detach();
                    let delta = match epsilon {
                        Epsilon::Corrected => ((&*m / c1)? / ((&*v / c2)?.sqrt()? + eps)?)? * lr,
                        Epsilon::Chainer => (&*m / (v.sqrt()? + eps)?)? * (lr * c2.sqrt() / c1),
                    }?;
                    slot.var.set(&(slot.var.as_tensor() - delta)?.detach())?;
                }
            }
        }
        Ok(())
    }

    /// Steps taken.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// `m.<name>` and `v.<name>` of every parameter, for the checkpoint.
    ///
    /// # Errors
    /// Those of the tensor library.
    pub fn state(&self) -> Result<BTreeMap<String, Tensor>> {
        let mut state = BTreeMap::new();
        for slot in &self.slots {
            let (m, v) = match &slot.moments {
                Moments::Host(moments) => {
                    let moments = moments.lock().unwrap_or_else(PoisonError::into_inner);
                    let tensor =
                        |x: &[f32]| Tensor::from_slice(x, slot.var.shape(), slot.var.device());
                    (tensor(&moments.0)?, tensor(&moments.1)?)
                }
                Moments::Tensors(m, v) => (m.clone(), v.clone()),
            };
            state.insert(format!("m.{}", slot.name), m);
            state.insert(format!("v.{}", slot.name), v);
        }
        Ok(state)
    }

    /// Puts back what [`Adam::state`] gave.
    ///
    /// # Errors
    /// When a moment is missing or misshapen.
    pub fn restore(&mut self, steps: u64, state: &BTreeMap<String, Tensor>) -> Result<()> {
        self.steps = steps;
        for slot in &mut self.slots {
            let find = |kind: &str| {
                let key = format!("{kind}.{}", slot.name);
                match state.get(&key) {
                    Some(t) if t.shape() == slot.var.shape() => Ok(t.clone()),
                    _ => Err(Error::AdamState { key, shape: slot.var.dims().to_vec() }),
                }
            };
            let (m, v) = (find("m")?, find("v")?);
            slot.moments = match &slot.moments {
                Moments::Host(_) => Moments::Host(Mutex::new((
                    m.flatten_all()?.to_vec1()?,
                    v.flatten_all()?.to_vec1()?,
                ))),
                Moments::Tensors(..) => Moments::Tensors(m, v),
            };
        }
        Ok(())
    }
}
