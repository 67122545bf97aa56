# Stand-in: what procd would be told is written down.

for name in procd_open_instance procd_close_instance procd_set_param procd_append_param procd_add_jail procd_add_jail_mount \
	procd_add_jail_mount_rw procd_open_data procd_close_data procd_add_reload_trigger \
	procd_add_reload_interface_trigger procd_send_signal procd_kill json_add_array json_close_array json_add_object \
	json_close_object json_add_string; do
	eval "$name() { record $name \"\$@\"; }"
done
