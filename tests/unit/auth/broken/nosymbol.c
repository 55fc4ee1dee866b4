/* A shared object that is no plugin. */
__attribute__((visibility("default"))) int sallyport_nothing(void);
int sallyport_nothing(void)
{
	return 1;
}
