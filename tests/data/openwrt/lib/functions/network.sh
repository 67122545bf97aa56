# Stand-in: /networks has a line for each network, "name device up" or "name device down"; behind that of the line stands "wan".

_network() {
	local _name _device _state _wan
	while read -r _name _device _state _wan; do
		if [ "$_name" = "$2" ] && { [ "$3" = any ] || [ "$_state" = up ]; }; then
			eval "$1=\$_device"
			return 0
		fi
	done </networks
	return 1
}

network_get_device() { _network "$1" "$2" up; }
network_get_physdev() { _network "$1" "$2" any; }

network_find_wan() {
	local _name _device _state _wan
	while read -r _name _device _state _wan; do
		if [ "$_wan" = wan ] && [ "$_state" = up ]; then
			eval "$1=\$_name"
			return 0
		fi
	done </networks
	return 1
}
