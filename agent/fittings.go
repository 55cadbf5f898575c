package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"traveler.example/drivers"
	"traveler.example/drivers/pn532"
	"traveler.example/drivers/scale"
	"traveler.example/drivers/stacklight"
	profiles "traveler.example/firmware-profiles"
)

// fitting is a part of a gateway that goes on while the profile changes, unless
// its own section does: reader, scale, light, embedded broker.
type fitting struct {
	what  string // for errors
	of    any    // the settings that it was made from; comparable
	part  any    // drivers.Reader, ScaleDevice or drivers.Light
	run   func(ctx context.Context, events chan<- drivers.Event) error
	close func() error

	end   context.CancelFunc
	ended sync.WaitGroup
}

// fittings are those of one profile.
type fittings []*fitting

// made returns the one with these settings; nil: none.
func (f fittings) made(of any) *fitting {
	if i := slices.IndexFunc(f, func(x *fitting) bool { return x.of == of }); i >= 0 {
		return f[i]
	}
	return nil
}

// without returns those of f that others does not have.
func (f fittings) without(others fittings) fittings {
	return slices.DeleteFunc(slices.Clone(f), func(x *fitting) bool { return slices.Contains(others, x) })
}

// close frees what was opened to make them.
func (f fittings) close() error {
	var err error
	for _, x := range f {
		if x.close != nil {
			err = errors.Join(err, x.close())
		}
	}
	return err
}

// start runs those that run, until stop; failed is told of the first that cannot go
// on.
func (f fittings) start(ctx context.Context, events chan<- drivers.Event, failed chan<- error) {
	for _, x := range f {
		var own context.Context
		own, x.end = context.WithCancel(ctx)
		if x.run == nil {
			continue
		}
		x.ended.Go(func() {
			if err := x.run(own, events); err != nil && own.Err() == nil {
				select {
				case failed <- fmt.Errorf("%s: %w", x.what, err):
				default:
				}
			}
		})
	}
}

// stop ends them, all at once, and waits for them.
func (f fittings) stop() {
	for _, x := range f {
		if x.end != nil {
			x.end()
		}
	}
	for _, x := range f {
		x.ended.Wait()
	}
}

// fitted returns the part of these settings: the one that the gateway has, or a new
// one.
func (b *builder) fitted(what string, of any, make func(*fitting) error) (*fitting, error) {
	x := b.g.fittings.made(of)
	if x == nil {
		x = &fitting{what: what, of: of}
		if err := make(x); err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
	}
	b.made = append(b.made, x)
	return x, nil
}

func (b *builder) devices() error {
	for _, r := range b.p.Readers {
		x, err := b.fitted("reader "+r.Name, r, func(x *fitting) error {
			reader, err := pn532.New(pn532.Config{
				Name: r.Name, Port: r.Port, Open: drivers.Serial{Path: r.Port, Baud: r.Baud}.Open,
				Presence: drivers.PresenceConfig{Misses: r.Misses, Absence: r.Hold},
			})
			x.part, x.run = reader, reader.Run
			return err
		})
		if err != nil {
			return err
		}
		b.parts.Readers = append(b.parts.Readers, x.part.(drivers.Reader))
	}
	if err := b.scale(); err != nil {
		return err
	}
	for _, l := range b.p.Lights {
		x, err := b.fitted("light "+l.Name, l, func(x *fitting) error { return b.openLight(x, l) })
		if err != nil {
			return err
		}
		b.parts.Lights = append(b.parts.Lights, NamedLight{Name: l.Name, Light: x.part.(drivers.Light)})
	}
	return nil
}

func (b *builder) scale() error {
	s := b.p.Scale
	if s == nil {
		return nil
	}
	b.cfg.Weighs = Weighing{Name: "scale", Deadline: s.Deadline, EmptyBelow: int64(s.EmptyBelow), Capacity: int64(s.Capacity)}
	x, err := b.fitted("scale", *s, func(x *fitting) error {
		device, err := scale.New(scale.Config{
			Name: b.cfg.Weighs.Name, Port: s.Port, Open: drivers.Serial{Path: s.Port, Baud: s.Baud}.Open, Patience: s.Deadline,
		})
		x.part, x.run = device, device.Run
		return err
	})
	if err != nil {
		return err
	}
	b.parts.Scale = x.part.(ScaleDevice)
	return nil
}

func (b *builder) openLight(x *fitting, l profiles.Light) error {
	var light drivers.Light
	var err error
	switch {
	case l.Kind == profiles.LightGPIO:
		lamp := func(name string) stacklight.PinName { return stacklight.PinName{Name: name, ActiveLow: l.ActiveLow} }
		light, err = stacklight.OpenGPIO(b.hardware.board().Pin, stacklight.PinNames{Red: lamp(l.Red), Amber: lamp(l.Amber), Green: lamp(l.Green)}, stacklight.Sound{})
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
