package agent

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"periph.io/x/conn/v3/gpio"

	"traveler.example/agent/journal"
	"traveler.example/agent/station"
	"traveler.example/drivers"
	"traveler.example/drivers/button"
	profiles "traveler.example/firmware-profiles"
)

// Button is a push button with what it stands for.
type Button struct {
	drivers.Device
	Pressed, Held station.Act // 0: nothing
}

// longPress is how long a button is kept down to be held.
const longPress = time.Second

// actOf is what the station does for an action of the profile; 0 for none.
func actOf(a profiles.Action) station.Act {
	switch a {
	case profiles.ActionConfirm:
		return station.Confirm
	case profiles.ActionNext:
		return station.Next
	case profiles.ActionCancel:
		return station.Cancel
	case profiles.ActionCall:
		return station.Call
	}
	if n := a.Option(); n > 0 {
		return station.Choose1 + station.Act(n-1)
	}
	return 0
}

func (b *builder) buttons() error {
	for _, p := range b.p.Buttons {
		x, err := b.fitted("button "+p.Name, p, func(x *fitting) error {
			cfg := button.Config{
				Name: p.Name, Port: p.Pin, ActiveLow: p.ActiveLow, ExternalPull: p.ExternalPull, Debounce: p.Debounce,
				Open: func(context.Context) (gpio.PinIn, error) { return b.hardware.board().Pin(p.Pin) },
			}
			if p.LongPress != "" {
				cfg.Long = longPress
			}
			device, err := button.New(cfg)
			if err != nil {
				return err
			}
			x.part, x.run = device, device.Run
			return nil
		})
		if err != nil {
			return err
		}
		b.parts.Buttons = append(b.parts.Buttons, Button{
			Device: x.part.(drivers.Device), Pressed: actOf(p.Action), Held: actOf(p.LongPress),
		})
	}
	return nil
}

// button finds a button by its name.
func (a *Agent) button(name string) (Button, bool) {
	i := slices.IndexFunc(a.parts.Buttons, func(b Button) bool { return b.Info().Name == name })
	if i < 0 {
		return Button{}, false
	}
	return a.parts.Buttons[i], true
}

// pushed turns what a button says into the station's event. One that was stuck works
// again once it is pushed anew.
func (l *stationLoop) pushed(ctx context.Context, b Button, e drivers.Event) {
	info := b.Info()
	where := []slog.Attr{slog.String(journal.KeyDevice, info.Name), slog.String(journal.KeyPort, info.Port)}
	var act station.Act
	switch e.Kind {
	case drivers.Down, drivers.Fault:
		l.deviceIs(info.Name, false, info)
		l.outages.Down(ctx, journal.ButtonFault, info.Name, fmt.Sprintf("button %s cannot be used: %v", info.Name, e.Err),
			append(where, slog.Any(journal.KeyError, e.Err))...)
		return
	case drivers.Pressed:
		act = b.Pressed
	case drivers.Held:
		act = b.Held
	}
	l.deviceIs(info.Name, true, info)
	l.outages.Up(ctx, journal.ButtonFault, info.Name, "button "+info.Name+" works again", where...)
	if act != 0 {
		l.step(ctx, station.Pushed{Button: info.Name, Act: act, At: e.At})
	}
}

// noteHelp keeps who has called for help, for people who ask from elsewhere.
func (l *stationLoop) noteHelp() {
	var called *HelpState
	if h, ok := l.machine.Help(); ok {
		called = &HelpState{Who: h.Who, Button: h.Button, Since: h.Since.UnixMilli()}
	}
	l.mu.Lock()
	l.last.help = called
	l.mu.Unlock()
}
