package agent

import (
	"bytes"
	"crypto"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	profiles "traveler.example/firmware-profiles"
	"traveler.example/ledger"
)

const foundedAt = 1_795_357_800_000

func found(t *testing.T, admins ...string) (*Network, []crypto.Signer) {
	t.Helper()
	n, err := Found(filepath.Join(t.TempDir(), "plant"), Founding{Name: "plant-7", Admins: admins, Time: foundedAt})
	if err != nil {
		t.Fatal(err)
	}
	signers, err := n.Signers()
	if err != nil {
		t.Fatal(err)
	}
	return n, signers
}

func draft(name, station string) ProfileDraft {
	return ProfileDraft{Gateway: name, Board: "rpi-4", Profile: "drilling", Station: station, Brokers: []string{"mqtt://broker:1883"}}
}

// files lists what lies in a directory, with modes of keys.
func files(t *testing.T, dir string) string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if strings.HasSuffix(path, ".key") && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %04o", path, info.Mode().Perm())
		}
		names = append(names, strings.TrimPrefix(path, dir+"/"))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(names, " ")
}

func TestFoundKeepsKeysApartAndNeverOverwrites(t *testing.T) {
	n, signers := found(t, "anna", "ben", "cora")
	if got, want := files(t, n.Dir), "genesis.cbor keys/anna.key keys/ben.key keys/cora.key recovery.key"; got != want {
		t.Errorf("files: %s, want %s", got, want)
	}
	if n.Genesis.Threshold != 2 || len(signers) != 2 {
		t.Errorf("threshold %d, signers %d: of three admins two sign", n.Genesis.Threshold, len(signers))
	}
	if _, err := Found(n.Dir, Founding{Name: "other", Admins: []string{"dora"}, Time: foundedAt}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("founded again: %v", err)
	}
	recovery, err := LoadKey(filepath.Join(n.Dir, RecoveryName), nil)
	if err != nil {
		t.Fatal(err)
	}
	if pub, _ := ledger.PublicKeyOf(recovery); !pub.Equal(n.Genesis.Recovery) {
		t.Error("recovery.key is not the recovery key of genesis")
	}
}

func TestFoundRefusesBeforeItWrites(t *testing.T) {
	for name, f := range map[string]Founding{
		"no admins":    {Name: "p"},
		"twice":        {Name: "p", Admins: []string{"a", "a"}},
		"a path":       {Name: "p", Admins: []string{"../a"}},
		"no name":      {Admins: []string{"a"}},
		"before 1970":  {Name: "p", Admins: []string{"a"}, Time: -1},
		"short random": {Name: "p", Admins: []string{"a"}, Random: bytes.NewReader(make([]byte, 70))},
	} {
		dir := filepath.Join(t.TempDir(), "plant")
		if _, err := Found(dir, f); err == nil {
			t.Errorf("%s: founded", name)
		}
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: something was written", name)
		}
	}
}

func TestAddGatewayWritesAllThatTheBoardNeeds(t *testing.T) {
	n, signers := found(t, "admin")
	first := draft("G-DRILL-1", "DRILL-1")
	if _, err := n.AddGateway(foundedAt, first.Text(), true, KeyForm{}, signers...); err != nil {
		t.Fatal(err)
	}
	intake := ProfileDraft{Gateway: "G-INTAKE", Board: "rpi-4", Profile: "intake", Intake: true, Order: "WO-1", Station: "INTAKE-1", Listen: "127.0.0.1:1883"}
	if _, err := n.AddGateway(foundedAt, intake.Text(), false, KeyForm{}, signers...); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"G-DRILL-1", "G-INTAKE"} { // the first one's roster has grown since
		dir := n.Board(name)
		p, err := profiles.Load(filepath.Join(dir, ProfileName))
		if err != nil {
			t.Fatal(err)
		}
		g, err := LoadGenesis(p.GenesisFile)
		if err != nil {
			t.Fatal(err)
		}
		statements, err := LoadStatements(g.Network(), p.Roster...)
		if err != nil {
			t.Fatal(err)
		}
		r := ledger.NewRegister(g)
		if err := AddStatements(r, statements); err != nil {
			t.Fatal(err)
		}
		key, err := LoadKey(p.KeyFile, nil)
		if err != nil {
			t.Fatal(err)
		}
		pub, _ := ledger.PublicKeyOf(key)
		as, ok := r.Current().Assigned(pub.ID(), p.Work.Station)
		if !ok || as.WorkCentre != p.Work.Centre || as.Intake != (name == "G-INTAKE") {
			t.Errorf("%s: assigned %+v, %v", name, as, ok)
		}
		if got := r.Current().Has(pub.ID(), ledger.RoleWitness); got != (name == "G-DRILL-1") {
			t.Errorf("%s: witness %v", name, got)
		}
		if len(statements) != 2 {
			t.Errorf("%s has %d statements, want 2", name, len(statements))
		}
	}
	again, err := OpenNetwork(n.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if doc := again.Document(); len(doc.Identities) != 2 || len(doc.Stations) != 2 || doc.Statements != 2 {
		t.Errorf("the network's directory says %+v", doc)
	}
}

func TestRefusedNewcomersLeaveNothingBehind(t *testing.T) {
	n, signers := found(t, "admin")
	if _, err := n.AddGateway(foundedAt, draft("G-1", "DRILL-1").Text(), true, KeyForm{}, signers...); err != nil {
		t.Fatal(err)
	}
	before := files(t, n.Dir)
	stranger, err := NewKey(KeyEd25519, nil)
	if err != nil {
		t.Fatal(err)
	}
	unknown := append(draft("G-2", "DRILL-2").Text(), "\n[brocker]\n"...)
	tests := []struct {
		name    string
		profile []byte
		signers []crypto.Signer
		is      error
	}{
		{"name given before", draft("G-1", "DRILL-2").Text(), signers, fs.ErrExist},
		{"station given before", draft("G-2", "DRILL-1").Text(), signers, ledger.ErrRefused},
		{"a path for a name", draft("../G-2", "DRILL-2").Text(), signers, ErrName},
		{"signed by a stranger", draft("G-2", "DRILL-2").Text(), []crypto.Signer{stranger}, ledger.ErrRefused},
		{"signed by nobody", draft("G-2", "DRILL-2").Text(), nil, nil},
		{"profile with a fault", unknown, signers, nil},
	}
	for _, tt := range tests {
		_, err := n.AddGateway(foundedAt, tt.profile, true, KeyForm{}, tt.signers...)
		if err == nil || tt.is != nil && !errors.Is(err, tt.is) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.is)
		}
	}
	for name, signers := range map[string][]crypto.Signer{"G-1": signers, "pat": {stranger}, "a/b": signers} {
		if _, err := n.AddPerson(foundedAt, name, ledger.RolePlanner, KeyForm{}, signers...); err == nil {
			t.Errorf("%s is let in", name)
		}
	}
	if after := files(t, n.Dir); after != before {
		t.Errorf("files changed:\n%s\n%s", before, after)
	}
	if len(n.Register.Statements()) != 1 {
		t.Error("the register changed")
	}
}

func TestAddPersonNeverOverwritesAKey(t *testing.T) {
	n, signers := found(t, "admin")
	if _, err := n.AddPerson(foundedAt, "pat", ledger.RolePlanner, KeyForm{}, signers...); err != nil {
		t.Fatal(err)
	}
	before, err := n.Person("pat")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.AddPerson(foundedAt, "pat", ledger.RoleQuality, KeyForm{}, signers...); !errors.Is(err, fs.ErrExist) {
		t.Errorf("let in twice: %v", err)
	}
	if after, err := n.Person("pat"); err != nil || !after.(interface{ Equal(crypto.PrivateKey) bool }).Equal(before) {
		t.Errorf("the key changed: %v", err)
	}
}

func TestSignersAreThoseWhoMustAndAreHere(t *testing.T) {
	n, _ := found(t, "anna", "ben", "cora")
	if err := os.Remove(filepath.Join(n.Dir, KeysName, "anna.key")); err != nil {
		t.Fatal(err)
	}
	if signers, err := n.Signers(); err != nil || len(signers) != 2 {
		t.Errorf("ben and cora suffice: %d, %v", len(signers), err)
	}
	if _, err := n.Signers("anna", "ben"); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "absent: anna") {
		t.Errorf("anna's key is away: %v", err)
	}
}

func TestTheFirstGatewaysAreWitnesses(t *testing.T) {
	n, signers := found(t, "admin")
	for i := range DefaultWitnesses {
		if !n.WitnessByDefault() {
			t.Fatalf("gateway %d would be no witness", i+1)
		}
		key, err := NewKey(KeyEd25519, nil)
		if err != nil {
			t.Fatal(err)
		}
		pub, _ := ledger.PublicKeyOf(key)
		if _, err := n.Change(foundedAt, []ledger.Change{{
			Kind: ledger.ChangeEnrol, Name: "G-" + string(rune('A'+i)), Key: pub, Roles: ledger.RoleGateway | ledger.RoleWitness,
		}}, signers...); err != nil {
			t.Fatal(err)
		}
	}
	if n.WitnessByDefault() {
		t.Error("one more gateway would be a witness")
	}
}

func TestDraftsCannotSmuggleLines(t *testing.T) {
	d := draft("G-1", "DRILL-1")
	d.Station = "X\"\nlog_level = \"debug"
	if _, err := profiles.Parse("/p/profile.toml", d.Text(), profiles.BuiltIn); err == nil || !strings.Contains(err.Error(), "work.station") {
		t.Errorf("the station is taken for more than an id: %v", err)
	}
}
