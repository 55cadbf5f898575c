package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"

	"traveler.example/agent/journal"
	"traveler.example/agent/station"
	"traveler.example/drivers"
)

// trouble is what one cause is called: in the journal, and in the operator's words.
type trouble struct {
	cause error
	event journal.ID
	plain string
}

// outageCauses are the causes of an outage, the first that fits. Every outage has its
// line of the device ([journal.ReaderDown], [journal.ScaleFault]); those whose
// remedy is not cable and power have another beside it.
var outageCauses = []trouble{
	{drivers.ErrBusy, journal.PortBusy, "another program uses its port"},
	{fs.ErrPermission, journal.PortDenied, "its port may not be opened; call maintenance"},
	{drivers.ErrOther, journal.PortSwapped, "another device answers on its port; call maintenance"},
	{drivers.ErrSpeed, journal.PortSpeed, "it speaks at another speed; call maintenance"},
	{drivers.ErrUnplugged, "", "it was unplugged"},
	{fs.ErrNotExist, "", "it is not plugged in"},
	{drivers.ErrSilent, "", "it does not answer"},
}

// faultCauses are the causes of what is wrong with a reader that works.
var faultCauses = []trouble{
	{cause: drivers.ErrWeak, event: journal.ReaderWeakTag},
	{cause: drivers.ErrNeighbour, event: journal.ReaderNeighbour},
	{cause: drivers.ErrForgot, event: journal.ReaderForgot},
	{cause: drivers.ErrCrowded, event: journal.ReaderCrowded},
	{cause: drivers.ErrSpeed, event: journal.PortSpeed},
}

// causeOf finds what an error is called; the words are the error's own where it is
// called nothing.
func causeOf(causes []trouble, err error) trouble {
	for _, c := range causes {
		if errors.Is(err, c.cause) {
			return c
		}
	}
	if err == nil {
		return trouble{plain: "it is down"}
	}
	return trouble{plain: err.Error()}
}

// plain is the cause of an outage in the operator's words.
func plain(err error) string { return causeOf(outageCauses, err).plain }

// portDown tells of an outage whose remedy is at the port.
func (l *stationLoop) portDown(ctx context.Context, info drivers.Info, err error) {
	port, why := slog.String(journal.KeyPort, info.Port), slog.Any(journal.KeyError, err)
	switch event := causeOf(outageCauses, err).event; event {
	case journal.PortBusy:
		l.outages.Down(ctx, event, info.Name, fmt.Sprintf("port %s is held by another program: %v", info.Port, err), port, why)
	case journal.PortDenied:
		l.outages.Down(ctx, event, info.Name, fmt.Sprintf("port %s may not be opened: %v", info.Port, err), port, why)
	}
}

// portUp ends what portDown told of.
func (l *stationLoop) portUp(ctx context.Context, info drivers.Info) {
	for _, event := range [...]journal.ID{journal.PortBusy, journal.PortDenied} {
		l.outages.Up(ctx, event, info.Name, "the port of "+info.Name+" is ours again", slog.String(journal.KeyPort, info.Port))
	}
}

// diagnosed tells what was found out about a device that is down.
func (l *stationLoop) diagnosed(ctx context.Context, info drivers.Info, err error) {
	if event := causeOf(outageCauses, err).event; event != "" {
		l.limiter.Event(ctx, event, info.Name, err.Error(), slog.String(journal.KeyDevice, info.Name),
			slog.String(journal.KeyPort, info.Port), slog.Any(journal.KeyReason, err))
	}
}

func (l *stationLoop) readerUp(ctx context.Context, info drivers.Info) {
	l.deviceIs(info.Name, true, info)
	l.portUp(ctx, info)
	l.outages.Up(ctx, journal.ReaderDown, info.Name, "reader "+info.Name+" answers again",
		slog.String(journal.KeyReader, info.Name), slog.String(journal.KeyPort, info.Port))
	l.step(ctx, station.ReaderUp{Reader: info.Name})
}

func (l *stationLoop) readerDown(ctx context.Context, info drivers.Info, err error) {
	l.deviceIs(info.Name, false, info)
	l.portDown(ctx, info, err)
	l.outages.Down(ctx, journal.ReaderDown, info.Name, fmt.Sprintf("reader %s is down, %s: %v", info.Name, causeOf(outageCauses, err).short(), err),
		slog.String(journal.KeyReader, info.Name), slog.String(journal.KeyPort, info.Port), slog.Any(journal.KeyError, err))
	l.step(ctx, station.ReaderDown{Reader: info.Name, Why: plain(err)})
}

// short is the cause for a line that gives the error as well.
func (c trouble) short() string {
	if c.cause == nil {
		return "it cannot be used"
	}
	return c.plain
}

// readerFault tells of something wrong with a reader that works.
func (l *stationLoop) readerFault(ctx context.Context, e drivers.Event) {
	event := causeOf(faultCauses, e.Err).event
	reader, why := slog.String(journal.KeyReader, e.Reader), slog.Any(journal.KeyReason, e.Err)
	switch event {
	case "":
		l.limiter.Event(ctx, journal.ReaderFault, e.Reader, fmt.Sprintf("reader %s: %v", e.Reader, e.Err), reader, why)
	case journal.PortSpeed:
		l.diagnosed(ctx, l.infoOf(e.Reader), e.Err)
	case journal.ReaderWeakTag:
		l.limiter.Event(ctx, event, e.Reader+" "+e.Tag.ID, e.Err.Error(), reader, slog.String(journal.KeyTag, e.Tag.ID), why)
		l.step(ctx, station.Weak{Reader: e.Reader, Tag: l.nameHere(e)})
	default:
		l.limiter.Event(ctx, event, e.Reader, e.Err.Error(), reader, why)
	}
}

// several tells of tags that lie on a reader together: the light says of which one
// it speaks.
func (l *stationLoop) several(ctx context.Context, reader string) {
	if on := l.machine.On(reader); len(on) > 1 {
		last, rest := on[len(on)-1], on[:len(on)-1]
		l.limiter.Event(ctx, journal.ScanSeveral, reader, fmt.Sprintf("%d tags lie on %s: the last put there counts, %s", len(on), reader, last),
			slog.String(journal.KeyTag, last), slog.String(journal.KeyReader, reader), slog.String(journal.KeyFound, strings.Join(rest, " ")))
	}
}
