package agent

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"

	"traveler.example/drivers"
)

// fitting is a part of a gateway that goes on while the profile changes, unless
// its own section does: reader, scale, light, buzzer, button, embedded broker.
type fitting struct {
	what    string   // for errors
	of      any      // the settings that it was made from
	part    any      // drivers.Reader, *llrp.Portal, ScaleDevice, drivers.Light or drivers.Device
	readers []string // names of the readers that it is
	run     func(ctx context.Context, events chan<- drivers.Event) error
	close   func() error

	end   context.CancelFunc
	ended sync.WaitGroup
}

// fittings are those of one profile.
type fittings []*fitting

// made returns the one with these settings; nil: none.
func (f fittings) made(of any) *fitting {
	if i := slices.IndexFunc(f, func(x *fitting) bool { return reflect.DeepEqual(x.of, of) }); i >= 0 {
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

// devices fits what a station has, in the order in which it is told of.
func (b *builder) devices() error {
	for _, fit := range []func() error{b.readers, b.scale, b.lights, b.buzzers, b.buttons} {
		if err := fit(); err != nil {
			return err
		}
	}
	return nil
}
