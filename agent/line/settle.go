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
	"traveler.example/ledger/replica"
)

// ErrUnsettled: the replicas did not come to hold and confirm the same in time.
var ErrUnsettled = errors.New("the replicas have not settled")

// Settled is what all replicas agree on.
type Settled struct {
	Blocks       int64
	Transactions int64
	Confirmed    int64 // the least of all gateways
	Equal        bool  // every replica holds the same, views byte-equal
}

// Settle waits until every block is confirmed on every replica and all views are
// equal. When that does not come about within the time given the error wraps
// ErrUnsettled, and the result tells how far it came.
func (l *Line) Settle(ctx context.Context, within time.Duration) (Settled, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for {
		now, why := l.settled(ctx)
		if len(why) == 0 {
			return now, nil
		}
		if sleep(ctx, 3*askPause) != nil {
			return now, fmt.Errorf("%w within %v: %s", ErrUnsettled, within.Round(time.Second), strings.Join(why, "; "))
		}
	}
}

// settled compares the gateways now; why is empty when all is settled.
func (l *Line) settled(ctx context.Context) (sum Settled, why []string) {
	sum.Equal = true
	var first agent.Status
	for n, s := range l.stations {
		st, err := s.Status(context.WithoutCancel(ctx))
		if err != nil {
			sum.Equal = false
			why = append(why, fmt.Sprintf("%s: %v", s.Gateway, err))
			continue
		}
		if n == 0 {
			first = st
			sum.Blocks, sum.Transactions, sum.Confirmed = st.Blocks, st.Transactions, st.Confirmed
		}
		sum.Blocks, sum.Transactions = max(sum.Blocks, st.Blocks), max(sum.Transactions, st.Transactions)
		sum.Confirmed = min(sum.Confirmed, st.Confirmed)
		if st.Confirmed != st.Blocks || st.Waiting != 0 || st.Lag != 0 {
			why = append(why, fmt.Sprintf("%s: %d of %d blocks confirmed, %d transactions wait, %d blocks missing", s.Gateway, st.Confirmed, st.Blocks, st.Waiting, st.Lag))
		}
		if st.Views == "" || st.Views != first.Views || st.Blocks != first.Blocks {
			sum.Equal = false
			why = append(why, fmt.Sprintf("%s: views %.12s of %d blocks, not %.12s of %d as %s", s.Gateway, st.Views, st.Blocks, first.Views, first.Blocks, l.stations[0].Gateway))
		}
	}
	return sum, why
}

// Missing returns the lights of the people's log that claim a record which is
// not found in the replica of another gateway.
func (l *Line) Missing(ctx context.Context) ([]Light, error) {
	byTag := map[string][]Light{}
	for _, light := range l.Lights() {
		if light.Claims() {
			byTag[light.Tag] = append(byTag[light.Tag], light)
		}
	}
	station := func(gateway string) string { return stationOf(Places(), gateway) }
	var lost []Light
	for tag, lights := range byTag {
		for _, here := range l.stations {
			mine := slices.DeleteFunc(slices.Clone(lights), func(x Light) bool { return x.Gateway != here.Gateway })
			if len(mine) == 0 {
				continue
			}
			history, err := l.other(here).History(ctx, tag)
			if err != nil && !errors.Is(err, agent.ErrNotFound) {
				return nil, err
			}
			lost = append(lost, Unrecorded(mine, Records(history), station)...)
		}
	}
	return lost, nil
}

// Standing says how the replica of another gateway has the record that a light
// claims, such as "Confirmed 4 of 7"; empty: not yet.
func (l *Line) Standing(ctx context.Context, light Light) (string, error) {
	s := l.Station(light.Gateway)
	if s == nil {
		return "", fmt.Errorf("gateway %q: %w", light.Gateway, agent.ErrNotFound)
	}
	history, err := l.other(s).History(ctx, light.Tag)
	if err != nil && !errors.Is(err, agent.ErrNotFound) {
		return "", err
	}
	records := Records(history)
	if i := claimed(slices.DeleteFunc(records, func(r Record) bool { return light.Shown.Sub(r.Time) > clockSlack }), nil, light, s.Station); i >= 0 {
		return records[i].Status, nil
	}
	return "", nil
}

// other returns the gateway that vouches for what people saw at a station: the
// next one of the line.
func (l *Line) other(s *Station) *Station {
	return l.stations[(slices.Index(l.stations, s)+1)%len(l.stations)]
}

// History is what the gateway's replica has of the item with a tag.
func (s *Station) History(ctx context.Context, tag string) ([]agent.EntryLine, error) {
	var doc agent.ItemDocument
	err := s.ask(ctx, func(ctx context.Context, d agent.Desk) (err error) {
		doc, err = d.Item(ctx, tag)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("history of %s at %s: %w", tag, s.Gateway, err)
	}
	return doc.History, nil
}

// Verify checks the replica of every gateway from genesis on, each in its
// directory. The gateways must be stopped. It returns every fault found.
func (l *Line) Verify(ctx context.Context) (faults []string) {
	for _, s := range l.stations {
		err := replica.Verify(ctx, filepath.Join(s.Dir(), agent.DataName), replica.Options{Genesis: l.network.Genesis}, func(f replica.Finding) {
			if f.Fault != "" {
				faults = append(faults, fmt.Sprintf("%s: %s: chain of %s, height %d: %s", s.Gateway, f.Check, f.Author.Short(), f.Height, f.Fault))
			}
		})
		if err != nil && !slices.ContainsFunc(faults, func(f string) bool { return strings.HasPrefix(f, s.Gateway+":") }) {
			faults = append(faults, fmt.Sprintf("%s: %v", s.Gateway, err))
		}
	}
	return faults
}
