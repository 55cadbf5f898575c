package agent

import (
	"io"
	"os"
	"time"

	"traveler.example/drivers"
	"traveler.example/drivers/scale"
	"traveler.example/drivers/stacklight"
	profiles "traveler.example/firmware-profiles"
)

func (b *builder) lights() error {
	for _, l := range b.p.Lights {
		x, err := b.fitted("light "+l.Name, l, func(x *fitting) error { return b.openLight(x, l) })
		if err != nil {
			return err
		}
		b.parts.Lights = append(b.parts.Lights, NamedLight{Name: l.Name, Light: x.part.(drivers.Light)})
	}
	return nil
}

func (b *builder) openLight(x *fitting, l profiles.Light) error {
	var light drivers.Light
	var err error
	switch {
	case l.Kind == profiles.LightGPIO:
		pin := func(name string) stacklight.PinName { return stacklight.PinName{Name: name, ActiveLow: l.ActiveLow} }
		names := stacklight.PinNames{Red: pin(l.Red), Amber: pin(l.Amber), Green: pin(l.Green), Buzzer: pin(l.Buzzer)}
		light, err = stacklight.OpenGPIO(b.hardware.board().Pin, names, stacklight.Sound{})
	case l.Path != "":
		light, err = stacklight.OpenLines(l.Path, time.Now)
	default:
		light = stacklight.NewLines(os.NewFile(uintptr(l.Descriptor), l.Name), time.Now)
	}
	if err != nil {
		return err
	}
	x.part = light
	if c, ok := light.(io.Closer); ok {
		x.close = c.Close
	}
	return nil
}

func (b *builder) buzzers() error {
	for _, p := range b.p.Buzzers {
		x, err := b.fitted("buzzer "+p.Name, p, func(x *fitting) error {
			buzzer, err := stacklight.OpenGPIO(b.hardware.board().Pin,
				stacklight.PinNames{Buzzer: stacklight.PinName{Name: p.Pin, ActiveLow: p.ActiveLow}}, stacklight.Sound{})
			if err != nil {
				return err
			}
			x.part, x.close = buzzer, buzzer.Close
			return nil
		})
		if err != nil {
			return err
		}
		b.parts.Lights = append(b.parts.Lights, NamedLight{Name: p.Name, Light: x.part.(drivers.Light)})
	}
	return nil
}

var scaleProtocols = map[string]scale.Protocol{
	profiles.ScaleMTSICS: scale.SICS, profiles.ScaleAD: scale.AD, profiles.ScaleAuto: scale.Detect,
}

func (b *builder) scale() error {
	s := b.p.Scale
	if s == nil {
		return nil
	}
	b.cfg.Weighs = Weighing{Name: "scale", Deadline: s.Deadline, EmptyBelow: int64(s.EmptyBelow), Capacity: int64(s.Capacity)}
	x, err := b.fitted("scale", *s, func(x *fitting) error {
		device, err := scale.New(scale.Config{
			Name: b.cfg.Weighs.Name, Port: s.Port, Open: scaleLine(*s).Open, Protocol: scaleProtocols[s.Device], Patience: s.Deadline,
			Supervisor: drivers.Supervisor{Diagnose: scaleDiagnosis(*s)},
		})
		if err != nil {
			return err
		}
		x.part, x.run = device, device.Run
		return nil
	})
	if err != nil {
		return err
	}
	b.parts.Scale = x.part.(ScaleDevice)
	return nil
}

// scaleLine is the serial port of a scale, set up as the profile has it: three
// characters, checked there.
func scaleLine(s profiles.Scale) drivers.Serial {
	line := drivers.Serial{Path: s.Port, Baud: s.Baud}
	if len(s.Line) == 3 {
		line.DataBits, line.Parity, line.StopBits = int(s.Line[0]-'0'), drivers.Parity(s.Line[1]), int(s.Line[2]-'0')
	}
	return line
}
