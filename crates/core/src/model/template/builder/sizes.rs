//! The sizes of the input: those that the user gives, and defaults that the template chooses.

use super::super::value::Value;
use super::Builder;
use crate::diagnostic::{Error, Result};
use crate::model::input::Input;
use crate::model::total::Assumption;

impl Builder<'_> {
    /// A size of images, sound or steps, with a note that the template asked for it.
    pub(super) fn media(&mut self, which: usize, size: Option<u64>) -> Value {
        self.asked[which] = true;
        size.map_or(Value::Null, Value::count)
    }

    /// Refuses images, sound or steps that the model has no use for.
    pub(super) fn all_read(&self, name: &str) -> Result<()> {
        let given = [
            (self.input.image_size, "an image size"),
            (self.input.images, "images"),
            (self.input.frames, "frames of video"),
            (self.input.sound, "a length of sound"),
            (self.input.steps, "steps of denoising"),
            (self.input.guided.map(u64::from), "guidance"),
        ];
        let unread =
            given.into_iter().zip(self.asked).find(|((size, _), asked)| size.is_some() && !asked);
        match unread {
            None => Ok(()),
            Some(((_, what), _)) => {
                Err(Error::input(format!("{name} has no use for {what}")).hint("leave it out"))
            }
        }
    }

    /// The input with every default that the template chose, each listed as an assumption. A
    /// template says why by `NAME_why`.
    pub(super) fn filled_input(&mut self) -> Result<Input> {
        let mut input = self.input;
        let sizes = [
            ("sequence", &mut input.sequence, ""),
            ("decoder_sequence", &mut input.decoder_sequence, "as long as the encoder's"),
            ("image", &mut input.image_size, "the model's own size, else 224"),
        ];
        for (name, size, why) in sizes {
            let defined = self.frame().chain.iter().any(|it| it.lets.contains_key(name));
            if size.is_none() && defined {
                *size = self.name(name)?.and_then(|value| value.whole());
                if let Some(size) = *size {
                    let why = if name == "sequence" { self.bound(size)? } else { why.to_owned() };
                    let why = self.reason(name, &why)?;
                    self.assumptions.push(Assumption::of(name, size, why));
                }
            }
        }
        // Samples and frames of sound are assumed where neither a sequence nor a duration is given.
        if self.input.sequence.is_none() && self.input.sound.is_none() {
            for name in ["samples", "sound_frames"] {
                let defined = self.frame().chain.iter().any(|it| it.lets.contains_key(name));
                let value = if defined { self.name(name)? } else { None };
                if let Some(size) = value.and_then(|value| value.whole()) {
                    let why = self.reason(name, "a usual length; --audio says another")?;
                    self.assumptions.push(Assumption::of(name, size, why));
                }
            }
        }
        for (given, name, why) in [
            (self.input.steps.is_some(), "steps", "usual for it; --steps says another number"),
            (self.input.guided.is_some(), "guided", "usual for it; --guidance says otherwise"),
        ] {
            let asks =
                self.asked[4] && self.frame().chain.iter().any(|it| it.lets.contains_key(name));
            let value = if asks { self.name(name)? } else { None };
            match name {
                "steps" => input.steps = value.as_ref().and_then(Value::whole).or(input.steps),
                _ => input.guided = value.as_ref().map(Value::holds).or(input.guided),
            }
            if let (false, Some(value)) = (given, value) {
                let why = if self.input.training { "a sample is denoised once" } else { why };
                self.assumptions.push(Assumption::of(name, value, why));
            }
        }
        Ok(input)
    }

    /// The bound of a length that nobody stated.
    fn bound(&mut self, length: u64) -> Result<String> {
        let most = self.name("max_sequence")?.and_then(|value| value.whole());
        Ok(match most {
            Some(most) if most == length => "the model's maximum".to_owned(),
            Some(most) => format!("usual in its family; the model's maximum is {most}"),
            None => "usual in its family, which has no maximum".to_owned(),
        })
    }

    /// The reason that the template gives for a default.
    fn reason(&mut self, name: &str, otherwise: &str) -> Result<String> {
        let stated = self.name(&format!("{name}_why"))?;
        Ok(match stated {
            Some(Value::Text(why)) => why.to_string(),
            _ => otherwise.to_owned(),
        })
    }
}
