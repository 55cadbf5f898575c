package drivers_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"traveler.example/drivers"
)

var errLost = errors.New("lost")

// collect runs serve under a supervisor for d and returns the kinds of event.
func collect(t *testing.T, d time.Duration, serve drivers.Serve) []drivers.Event {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	out := make(chan drivers.Event, 1000)
	if err := (drivers.Supervisor{Name: "bench"}).Run(ctx, serve, out); err != nil {
		t.Errorf("run ended with %v, want nil", err)
	}
	close(out)
	var events []drivers.Event
	for e := range out {
		events = append(events, e)
	}
	return events
}

func kinds(events []drivers.Event) (k []drivers.Kind) {
	for _, e := range events {
		k = append(k, e.Kind)
	}
	return k
}

func equal(a []drivers.Kind, b ...drivers.Kind) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestSupervisorReportsOutagesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		attempt := 0
		events := collect(t, time.Hour, func(ctx context.Context, up func()) error {
			attempt++
			switch {
			case attempt < 5, attempt > 6 && attempt < 12:
				return errLost
			case attempt < 15:
				up()
				up() // once is enough
				time.Sleep(time.Minute)
				if attempt == 13 {
					return nil // an end without a reason is an outage too
				}
				return errLost
			}
			up()
			<-ctx.Done()
			return ctx.Err()
		})
		d, u := drivers.Down, drivers.Up
		if k := kinds(events); !equal(k, d, u, d, u, d, u, d, u, d, u, d, u) {
			t.Fatalf("got %v", k)
		}
		for _, e := range events {
			if e.Reader != "bench" || (e.Kind == drivers.Down) != (e.Err != nil) || e.At.IsZero() {
				t.Errorf("event %+v", e)
			}
		}
		if !errors.Is(events[0].Err, errLost) {
			t.Errorf("down because of %v, want the first error", events[0].Err)
		}
	})
}

// A device that cannot be opened, or fails as soon as it is up, is tried at
// growing intervals and never in a spin.
func TestSupervisorBacksOff(t *testing.T) {
	for name, comesUp := range map[string]bool{"absent": false, "flapping": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var tries []time.Time
				collect(t, 10*time.Minute, func(_ context.Context, up func()) error {
					tries = append(tries, time.Now())
					if comesUp {
						up()
					}
					return errLost
				})
				for i := 1; i < len(tries); i++ {
					gap := tries[i].Sub(tries[i-1])
					if gap < drivers.BackoffMin || gap > drivers.BackoffMax {
						t.Fatalf("gap %d is %v, want %v to %v", i, gap, drivers.BackoffMin, drivers.BackoffMax)
					}
					if i > 8 && gap < drivers.BackoffMax/2 {
						t.Fatalf("gap %d is %v, want it to have grown to at least %v", i, gap, drivers.BackoffMax/2)
					}
				}
				if n := len(tries); n < 120 || n > 260 {
					t.Errorf("%d tries in ten minutes", n)
				}
			})
		})
	}
}

func TestSupervisorStartsOverAfterStableTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lost, next time.Time
		attempt := 0
		collect(t, time.Hour, func(ctx context.Context, up func()) error {
			attempt++
			switch attempt {
			case 9:
				up()
				time.Sleep(drivers.BackoffStable)
				lost = time.Now()
			case 10:
				next = time.Now()
			}
			return errLost
		})
		if gap := next.Sub(lost); gap > 2*drivers.BackoffMin {
			t.Errorf("first try %v after a loss, want it soon", gap)
		}
	})
}

func TestSupervisorUsesWhatItIsGiven(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var slept []time.Duration
	s := drivers.Supervisor{
		Name: "bench", Now: func() time.Time { return time.Unix(42, 0) }, Jitter: func() float64 { return 0.5 },
		Sleep: func(_ context.Context, d time.Duration) {
			if slept = append(slept, d/time.Millisecond); len(slept) == 8 {
				cancel()
			}
		},
	}
	out := make(chan drivers.Event, 1)
	s.Run(ctx, func(context.Context, func()) error { return errLost }, out)
	want := [8]time.Duration{125, 150, 300, 600, 1200, 2400, 3750, 3750}
	if [8]time.Duration(slept) != want {
		t.Errorf("slept %v ms, want %v", slept, want)
	}
	if e := <-out; !e.At.Equal(time.Unix(42, 0)) {
		t.Errorf("event at %v, want the given clock", e.At)
	}
}

// Nobody takes the event: the end of the context ends the run all the same.
func TestSupervisorEndsUnheard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := drivers.Supervisor{Name: "bench"}.Run(ctx, func(_ context.Context, up func()) error { up(); return errLost }, make(chan drivers.Event))
		if err != nil {
			t.Error(err)
		}
	})
}

func TestSupervisorDiagnosesADeviceThatDoesNotAnswer(t *testing.T) {
	tests := []struct {
		name  string
		err   error
		found func(call int) error
		calls int // 0: none; -1: more than one
		want  error
	}{
		{"found at once", drivers.ErrSilent, func(int) error { return drivers.ErrOther }, 1, drivers.ErrOther},
		{"found later", drivers.ErrProtocol, func(i int) error {
			if i < 3 {
				return nil
			}
			return drivers.ErrSpeed
		}, 3, drivers.ErrSpeed},
		{"never found", drivers.ErrSilent, func(int) error { return nil }, -1, nil},
		{"reason enough", drivers.ErrUnplugged, func(int) error { return drivers.ErrOther }, 0, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls, attempts := 0, 0
				s := drivers.Supervisor{Name: "bench", Diagnose: func(context.Context) error {
					if calls++; attempts < 2 {
						t.Error("diagnosed after one attempt: a blink of the supply is none")
					}
					return tt.found(calls)
				}}
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				out := make(chan drivers.Event, 1000)
				if err := s.Run(ctx, func(context.Context, func()) error { attempts++; return tt.err }, out); err != nil {
					t.Error(err)
				}
				close(out)
				var got []drivers.Kind
				for e := range out {
					got = append(got, e.Kind)
					if e.Kind == drivers.Diagnosed && !errors.Is(e.Err, tt.want) {
						t.Errorf("diagnosed %v, want %v", e.Err, tt.want)
					}
				}
				want := []drivers.Kind{drivers.Down}
				if tt.want != nil {
					want = append(want, drivers.Diagnosed)
				}
				if !equal(got, want...) {
					t.Errorf("events %v, want %v", got, want)
				}
				if tt.calls >= 0 && calls != tt.calls || tt.calls < 0 && (calls < 2 || calls > attempts/5) {
					t.Errorf("diagnosed %d times in %d attempts", calls, attempts)
				}
			})
		})
	}
}
