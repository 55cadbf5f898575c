package line

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"traveler.example/agent"
)

// RunConfig says what a run does.
type RunConfig struct {
	Line   Config
	Items  int      // intakes in all, parts included: a multiple of three
	Faults []string // of AllFaults
	Seed   uint64   // people's choices follow from it
	// Keep, if not nil, is called when the work is done and settled, with the
	// gateways running. They are stopped when it returns.
	Keep func(ctx context.Context, l *Line)
	// Phase is told what goes on, in words; nil: nobody is.
	Phase func(words string)
	// Ready is called once all gateways work, before the first scan; nil: nobody is.
	Ready func(l *Line)
}

// ErrShort is wrapped when a run ended and something is missing. Shortcomings
// tells what.
var ErrShort = errors.New("the run fell short")

// ShortError lists what a run lacked.
type ShortError struct{ Reasons []string }

func (e *ShortError) Error() string { return ErrShort.Error() + ": " + strings.Join(e.Reasons, "\n") }

// Unwrap returns ErrShort.
func (e *ShortError) Unwrap() error { return ErrShort }

// settleLimit is within which every block must be confirmed everywhere after the
// last scan.
const settleLimit = 30 * time.Second

// Run plays a line from founding to verification. The report is as complete as the
// run; the error is a *ShortError when anything is missing in it, and wraps
// ErrPlan where the run cannot be asked for.
func Run(ctx context.Context, cfg RunConfig) (Report, error) {
	if cfg.Phase == nil {
		cfg.Phase = func(string) {}
	}
	p, err := makePlan(cfg.Items, cfg.Seed, cfg.Faults)
	if err != nil {
		return Report{}, err
	}
	if err := cfg.Line.checkReaders(p); err != nil {
		return Report{}, err
	}
	cfg.Phase("founding a network of seven gateways")
	l, err := New(cfg.Line)
	if err != nil {
		return Report{}, err
	}
	r := &run{cfg: cfg, line: l, plan: p}
	r.report = Report{Stations: len(l.Stations()), Items: len(p.pieces), Faults: []FaultReport{}}
	err = r.play(ctx)
	err = errors.Join(err, r.finish(ctx))
	if ctx.Err() != nil && cfg.Keep == nil {
		return r.report, fmt.Errorf("the run was interrupted: %w", context.Cause(ctx))
	}
	if err != nil {
		r.fails("%v", err)
	}
	if why := r.judge(); len(why) > 0 {
		return r.report, &ShortError{Reasons: why}
	}
	return r.report, nil
}

// run is a run under way.
type run struct {
	cfg     RunConfig
	line    *Line
	plan    plan
	report  Report
	reasons []string
}

func (r *run) fails(format string, args ...any) {
	r.reasons = append(r.reasons, fmt.Sprintf(format, args...))
}

// play works until the last housing is out and everything is settled.
func (r *run) play(ctx context.Context) error {
	r.cfg.Phase("starting the gateways")
	if err := r.line.Start(ctx); err != nil {
		return err
	}
	if err := r.line.IssueOrders(ctx); err != nil {
		return err
	}
	if r.cfg.Ready != nil {
		r.cfg.Ready(r.line)
	}
	r.cfg.Phase(fmt.Sprintf("%d pieces for %d housings", len(r.plan.pieces), r.plan.assemblies()))
	c := newCrew(r.line, r.plan, r.cfg.Seed)
	err := c.run(ctx)
	r.report.Faults, r.report.ScanToLight = reportFaults(c.faults), quantiles(c.delays)
	if err != nil && !errors.Is(err, ErrStuck) {
		return err
	}
	r.cfg.Phase("waiting until every block is confirmed on every replica")
	settled, unsettled := r.line.Settle(ctx, r.sinceLastScan())
	r.report.Blocks, r.report.Transactions, r.report.Confirmed = settled.Blocks, settled.Transactions, settled.Confirmed
	r.report.ReplicasEqual = settled.Equal
	err = errors.Join(err, unsettled, r.compare(ctx))
	if r.cfg.Keep != nil {
		r.cfg.Keep(ctx, r.line)
	}
	return err
}

// sinceLastScan is how much of the time to settle is left.
func (r *run) sinceLastScan() time.Duration {
	lights := r.line.Lights()
	if len(lights) == 0 {
		return settleLimit
	}
	return max(settleLimit-time.Since(lights[len(lights)-1].At), 0)
}

// compare holds the people's log against the replicas and counts what the ledger
// has.
func (r *run) compare(ctx context.Context) error {
	r.cfg.Phase("looking for every light's record in the replica of another gateway")
	r.report.LightsSeen = len(slices.DeleteFunc(r.line.Lights(), func(l Light) bool { return l.Tag == "" }))
	lost, err := r.line.Missing(ctx)
	if err != nil {
		return err
	}
	r.report.LightsMissing = len(lost)
	for _, l := range lost {
		r.fails("%s %s: no other gateway has a record of %q", l.Gateway, l.Shown.Format("15:04:05.000"), l.Text)
	}
	if err := r.handoffs(ctx); err != nil {
		return err
	}
	observer := r.line.Station(Packing)
	err = observer.ask(ctx, func(ctx context.Context, d agent.Desk) error {
		st, err := d.Stats(ctx)
		if err != nil {
			return err
		}
		r.report.Finished, r.report.Scrapped, r.report.Consumed = st.Items["finished"], st.Items["scrapped"], st.Items["consumed"]
		if st.Void > 0 {
			r.fails("%d transactions are void", st.Void)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("asking %s: %w", observer.Gateway, err)
	}
	for _, p := range r.plan.pieces {
		history, err := observer.History(ctx, tagFor(r.line.Station(Intake).kind, p.tag))
		if err != nil && !errors.Is(err, agent.ErrNotFound) {
			return err
		}
		for _, e := range history {
			switch {
			case e.Kind == "misroute":
				r.report.Misrouted++
			case claimOf(e) == Returned:
				r.report.Returned++
			}
		}
	}
	return nil
}

// finish stops the gateways in order and checks what they leave behind.
func (r *run) finish(ctx context.Context) error {
	r.cfg.Phase("stopping the gateways")
	if err := r.line.Stop(); err != nil {
		r.fails("%v", err)
	}
	err := errors.Join(r.line.Close(), r.line.log.save(filepath.Join(r.line.Dir(), LightsName)))
	r.cfg.Phase("verifying every replica from genesis on")
	faults := r.line.Verify(context.WithoutCancel(ctx))
	r.report.Verify = verifyOK
	if len(faults) > 0 {
		r.report.Verify = faults[0]
		for _, f := range faults[1:] {
			r.fails("verify: %s", f)
		}
	}
	return err
}

// judge gathers every reason for which the run failed.
func (r *run) judge() []string {
	return slices.Concat(shortcomings(r.report, r.plan), r.reasons, r.line.Troubles())
}
