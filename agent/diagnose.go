package agent

import (
	"context"
	"fmt"
	"strings"

	"traveler.example/drivers"
	"traveler.example/drivers/probe"
	"traveler.example/drivers/scale"
	profiles "traveler.example/firmware-profiles"
)

// finder asks on one port which device is there; [probe.Serial] is one.
type finder interface {
	Find(ctx context.Context) (probe.Finding, error)
}

// diagnosis looks for the reason why a reader on a serial port does not answer, by
// asking on that port who does.
func diagnosis(driver string, line drivers.Serial) func(context.Context) error {
	return explain(probe.Serial{Path: line.Path}, func(found probe.Finding) error { return misfit(driver, line, found) })
}

// scaleDiagnosis is the same for a scale, which may be set to another protocol.
func scaleDiagnosis(s profiles.Scale) func(context.Context) error {
	line := scaleLine(s)
	return explain(probe.Serial{Path: s.Port}, func(found probe.Finding) error { return misfitScale(line, scaleProtocols[s.Device], found) })
}

// explain judges what a finder finds. What is not known to it leaves the outage as
// it is.
func explain(f finder, judge func(probe.Finding) error) func(context.Context) error {
	return func(ctx context.Context) error {
		found, err := f.Find(ctx)
		if err != nil {
			return nil
		}
		return judge(found)
	}
}

// misfit says in which way what was found is not what the profile names; nil: it is
// that, as far as its bytes tell.
func misfit(driver string, line drivers.Serial, found probe.Finding) error {
	switch {
	case found.Driver != driver:
		return fmt.Errorf("%w: %s answers like %s (%s, at %d baud), configured as %s; swap the two cables back, or correct the profile",
			drivers.ErrOther, line.Path, found.Driver, found.Model, found.Line.Baud, driver)
	case found.Line.Baud != line.Baud:
		return fmt.Errorf("%w: %s on %s speaks at %d baud, the profile says %d; write baud = %d there",
			drivers.ErrSpeed, found.Model, line.Path, found.Line.Baud, line.Baud, found.Line.Baud)
	}
	return nil
}

// misfitScale is misfit for a scale.
func misfitScale(line drivers.Serial, protocol scale.Protocol, found probe.Finding) error {
	if err := misfit("scale", line, found); err != nil {
		return err
	}
	if protocol != scale.Detect && !strings.HasPrefix(found.Model, protocol.String()) {
		return fmt.Errorf("%w: the scale on %s speaks %s, the profile says %v; correct device in [scale], or swap the scales back",
			drivers.ErrOther, line.Path, found.Model, protocol)
	}
	return nil
}
