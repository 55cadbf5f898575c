package line

import "slices"

// The gateways of the line, by the names that the roster knows them under.
const (
	Intake     = "intake"
	Drilling1  = "drilling-1"
	Drilling2  = "drilling-2"
	Assembly   = "assembly"
	Inspection = "inspection"
	Packing    = "packing"
	Dock       = "shipping-dock"
)

// Place is a station of the line and the gateway that serves it.
type Place struct {
	Gateway string // its name in the roster
	Station string // the station's id
	Centre  string // its work centre; empty: none
	Profile string // the built-in station profile that it composes
	Scale   bool
	Broker  bool // hosts the line's broker
}

// Places returns the seven stations in the order in which a housing meets them.
func Places() []Place {
	return []Place{
		{Gateway: Intake, Station: "INTAKE", Profile: "intake", Broker: true},
		{Gateway: Drilling1, Station: "DRILL-1", Centre: "DRILLING", Profile: "drilling"},
		{Gateway: Drilling2, Station: "DRILL-2", Centre: "DRILLING", Profile: "drilling"},
		{Gateway: Assembly, Station: "ASSEMBLY", Profile: "assembly"},
		{Gateway: Inspection, Station: "INSPECTION", Profile: "inspection", Scale: true},
		{Gateway: Packing, Station: "PACKING", Profile: "packing"},
		{Gateway: Dock, Station: "DOCK", Profile: "shipping-dock"},
	}
}

// serves reports whether an item sent to the station or work centre may be taken
// to p.
func (p Place) serves(place string) bool {
	return place == p.Station || (p.Centre != "" && place == p.Centre)
}

// at returns the gateways to which an item sent to place may be taken.
func at(places []Place, place string) []string {
	var names []string
	for _, p := range places {
		if p.serves(place) {
			names = append(names, p.Gateway)
		}
	}
	return names
}

// stationOf returns the station that a gateway serves.
func stationOf(places []Place, gateway string) string {
	if i := slices.IndexFunc(places, func(p Place) bool { return p.Gateway == gateway }); i >= 0 {
		return places[i].Station
	}
	return ""
}
