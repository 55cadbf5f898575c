package agent

import (
	"context"
	"fmt"

	"traveler.example/drivers"
)

// tested is a light that can show each of its parts by itself.
type tested interface {
	// Tour names the parts in the order in which Test switches them on.
	Tour() []string
	Test(ctx context.Context) error
}

// TestLights tests the lights of a running gateway, one after the other.
func (d *desk) TestLights(ctx context.Context) ([]LampTest, error) {
	if d.live == nil {
		return nil, d.stopped("testing the lights")
	}
	return d.live.testLights(ctx)
}

// testLights has a person see and hear what works. A signal that comes meanwhile is
// shown at once, and ends the test of its light.
func (a *Agent) testLights(ctx context.Context) ([]LampTest, error) {
	select {
	case <-a.ended:
		return nil, fmt.Errorf("%w: the gateway is ending", ErrUnreachable)
	default:
	}
	out := []LampTest{}
	for _, light := range a.parts.Lights {
		out = append(out, testLight(ctx, light.Name, light.Light))
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
		}
	}
	return out, nil
}

func testLight(ctx context.Context, name string, light drivers.Light) LampTest {
	t := LampTest{Light: name}
	if l, is := light.(tested); is {
		t.Parts = l.Tour()
		if err := l.Test(ctx); err != nil {
			t.Problem = err.Error()
		}
	}
	return t
}
