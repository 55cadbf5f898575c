package agent

import (
	"context"
	"log/slog"
	"runtime/debug"
	"time"

	"traveler.example/agent/journal"
	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// BuildTime is when this program was made, as far as the build recorded it (the
// time of its last commit); the zero time where it did not. It is never later
// than now, which helps a board whose clock is at 1970.
func BuildTime() time.Time {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return time.Time{}
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.time" {
			at, _ := time.Parse(time.RFC3339, s.Value) // the zero time if it is none
			return at
		}
	}
	return time.Time{}
}

// judgement is the time at which certificates are judged. A board without a
// battery starts in 1970, and must reach the network to hear of the time.
type judgement struct {
	now     func() time.Time
	clock   func() ledger.Clock
	floor   time.Time // it is at least this late: build, genesis and issue of the own certificates
	replica *replica.Replica
}

// at is the clock, where that is synchronised. Else it is the latest of the clock,
// the floor and the newest time that the ledger holds from a synchronised clock: a
// foreign stamp in the future must not expire the certificates of a gateway that
// knows the time.
func (j judgement) at() time.Time {
	at := j.now()
	if j.clock() == ledger.ClockSynchronised {
		return at
	}
	for _, other := range []time.Time{j.floor, j.newest()} {
		if other.After(at) {
			at = other
		}
	}
	return at
}

// newest is the latest time in the heads of all chains whose author's clock was
// synchronised. Damage is told where it matters.
func (j judgement) newest() time.Time {
	var latest int64
	_ = j.replica.Read(func(v *replica.View) error {
		heads, err := v.Heads()
		if err != nil {
			return err
		}
		for _, ref := range heads {
			b, ok, err := v.Block(ref.Hash)
			if err != nil {
				return err
			}
			if h := b.Header(); ok && h.Clock == ledger.ClockSynchronised {
				latest = max(latest, h.Time)
			}
		}
		return nil
	})
	return time.UnixMilli(latest)
}

// expiryWatch tells of certificates that expire.
type expiryWatch struct {
	day  int64                    // of the last look, by the time at which it judged
	told map[string]time.Duration // by certificate: how long before its end it was warned of last
}

// checkCertificates judges the certificates once a day, and at the start.
func (a *Agent) checkCertificates(ctx context.Context, w *expiryWatch) {
	if a.parts.Certificates == nil {
		return
	}
	now := a.parts.Judge()
	day := now.Unix() / int64(24*time.Hour/time.Second)
	if w.told != nil && day == w.day {
		return
	}
	if w.told == nil {
		w.told = map[string]time.Duration{}
	}
	w.day = day
	for _, h := range a.parts.Certificates.held {
		s := stateOfCertificate(h.what, h.file, h.Certificate, now)
		key := h.file + " " + h.SerialNumber.String()
		where := []slog.Attr{
			slog.String(journal.KeyPath, s.File), slog.String(journal.KeyFound, s.Subject),
			slog.String(journal.KeyExpected, h.NotAfter.UTC().Format(time.DateOnly)),
		}
		if s.State == CertificateExpired {
			a.outages.Down(ctx, journal.CertificateExpired, s.File, s.words(), where...)
			continue
		}
		a.outages.Up(ctx, journal.CertificateExpired, s.File, s.words(), where...)
		if s.State != CertificateExpiring {
			continue
		}
		left := h.NotAfter.Sub(now)
		stage := warnedAhead
		if left <= warnedDaily {
			stage = left
		}
		if before, known := w.told[key]; !known || stage < before {
			w.told[key] = stage
			a.parts.Journal.Event(ctx, journal.CertificateExpiring, s.words(), where...)
		}
	}
}
